// Each instance needs exactly one disk with the path `/`, usually from its default profile.
import { type CheckContext, type CheckFinding, deviceFinding } from './context.ts';

export function rootDisks(context: CheckContext): readonly CheckFinding[] {
  const findings: CheckFinding[] = [];
  for (const instance of context.ofKind('Instance')) {
    const roots = context.devicesOf(instance).filter(({ options }) => options['type'] === 'disk' && options['path'] === '/');
    if (roots.length === 1) continue;
    if (roots.length === 0) {
      // The root disk may well be in a profile that cannot be read; that problem is told by itself.
      if (!context.isComplete(instance)) continue;
      const finding = {
        path: ['metadata', 'name'],
        rule: 'root-disk',
        message: `The instance "${instance.ref.name}" has no root disk.`,
        hint: 'Add to its devices or to a profile: root: { type: disk, path: /, pool: POOL }.',
      };
      findings.push({ document: instance, finding, unusable: [instance] });
      continue;
    }
    const names = roots.map(({ name }) => `"${name}"`).join(' and ');
    const message = `The instance "${instance.ref.name}" has ${roots.length} root disks: ${names}.`;
    const hint = 'Give them the same device name, so that one replaces the other, or mask one with "type: none".';
    for (const root of roots) findings.push(deviceFinding(root, undefined, { inKey: true, rule: 'root-disk', message, hint }));
  }
  return findings;
}
