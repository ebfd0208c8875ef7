// environment.* and user.*: free-form keys.
import { applied, type OptionTable } from '../option.ts';
import { linesValue, textValue } from '../value-type.ts';

export const environmentOptions = {
  'environment.*': applied(textValue, 'restart', 'An environment variable of init and of commands run with exec.', {
    example: 'production',
    secret: true,
    star: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  }),
} as const satisfies OptionTable;

export const userOptions = {
  'user.*': applied(linesValue, 'live', 'Free-form text for people and tools; Lockstep does nothing with it.', {
    example: 'team-a',
    star: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/,
  }),
} as const satisfies OptionTable;
