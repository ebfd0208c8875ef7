// Each instance needs exactly one disk with the path `/`, usually from its default profile.
import { deviceFinding, type DocumentCheck } from './context.ts';

export const rootDisks: DocumentCheck = {
  of: ['Instance'],
  check: (instance, context) => {
    const roots = context.devicesOf(instance).filter(({ options }) => options['type'] === 'disk' && options['path'] === '/');
    if (roots.length === 1) return [];
    if (roots.length === 0) {
      // The root disk may well be in a profile that cannot be read; that problem is told by itself.
      if (!context.isComplete(instance)) return [];
      const finding = {
        path: ['metadata', 'name'],
        rule: 'root-disk',
        message: `The instance "${instance.ref.name}" has no root disk.`,
        hint: 'Add to its devices or to a profile: root: { type: disk, path: /, pool: POOL }.',
      };
      return [{ document: instance, finding, unusable: [instance] }];
    }
    const names = roots.map(({ name }) => `"${name}"`).join(' and ');
    const message = `The instance "${instance.ref.name}" has ${roots.length} root disks: ${names}.`;
    const hint = 'Give them the same device name, so that one replaces the other, or mask one with "type: none".';
    return roots.map((root) => deviceFinding(root, undefined, { inKey: true, rule: 'root-disk', message, hint }));
  },
};
