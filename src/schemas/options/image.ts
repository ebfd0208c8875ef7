// Properties images may require of an instance, as LXD knows them.
import { type OptionTable, planned } from '../option.ts';
import { booleanValue, textValue } from '../value-type.ts';

export const imageOptions = {
  'requirements.cgroup': planned(textValue, 'live', 'The cgroup version the image needs.'),
  'requirements.nesting': planned(booleanValue, 'live', 'Whether the image needs `security.nesting`.'),
  'requirements.privileged': planned(booleanValue, 'live', 'Whether the image needs `security.privileged`.'),
} as const satisfies OptionTable;
