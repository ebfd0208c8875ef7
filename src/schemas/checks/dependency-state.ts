// An instance that waits for one which is declared to be stopped waits for ever. Perhaps it is started by hand now and then: a warning.
import { makeRef } from '../../core/ref.ts';
import type { InstanceManifest } from '../kinds/instance.ts';
import type { CheckFinding, DocumentCheck } from './context.ts';

export const dependencyState: DocumentCheck = {
  of: ['Instance'],
  check: (instance, context) => {
    const { state = 'Running', dependsOn = [] } = instance.spec as InstanceManifest;
    if (state === 'Stopped') return [];
    const findings: CheckFinding[] = [];
    for (const [at, { name }] of dependsOn.entries()) {
      const other = context.document(makeRef('Instance', name, { project: instance.ref.project }));
      const otherState = other === undefined ? undefined : (other.spec as InstanceManifest).state;
      if (otherState !== 'Stopped') continue;
      const message = `The instance "${instance.ref.name}" waits for "${name}", which is declared as Stopped.`;
      const finding = { path: ['spec', 'dependsOn', at, 'name'], rule: 'dependency-state', message, severity: 'warning' } as const;
      findings.push({ document: instance, finding, unusable: [] });
    }
    return findings;
  },
};
