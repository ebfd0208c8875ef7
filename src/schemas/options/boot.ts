// boot.*: what happens to an instance when the host starts and stops.
import { applied, type OptionTable, planned } from '../option.ts';
import { booleanValue, choiceValue, integerValue } from '../value-type.ts';

export const bootOptions = {
  'boot.autostart': applied(
    booleanValue,
    'live',
    'Whether the instance is started when the host has booted. Unset: it gets the power state it had. A declared `state` wins afterwards.',
    { example: 'true' },
  ),
  'boot.autostart.delay': applied(
    integerValue({ min: 0, max: 3600 }),
    'live',
    'How long to wait after starting this one before starting the next.',
    {
      default: '0',
      unit: 'seconds',
      example: '5',
    },
  ),
  'boot.autostart.priority': applied(
    integerValue({ min: -1000, max: 1000 }),
    'live',
    'Order of starting after a boot; higher starts first.',
    {
      default: '0',
      example: '10',
    },
  ),
  'boot.stop.priority': applied(
    integerValue({ min: -1000, max: 1000 }),
    'live',
    'Order of stopping when the host shuts down; higher stops first.',
    {
      default: '0',
      example: '10',
    },
  ),
  'boot.host_shutdown_timeout': applied(
    integerValue({ min: 0, max: 3600 }),
    'live',
    'How long a clean shutdown may take before the instance is stopped by force.',
    { default: '30', unit: 'seconds', example: '60' },
  ),
  'boot.host_shutdown_action': planned(
    choiceValue('stop', 'force-stop', 'stateful-stop'),
    'live',
    'What is done when the host shuts down.',
    {
      default: 'stop',
      origin: 'Incus',
    },
  ),
  'boot.autorestart': planned(booleanValue, 'live', 'Restart after an unexpected exit. `spec.restart` says this and more.', {
    default: 'false',
    origin: 'Incus',
  }),
} as const satisfies OptionTable;
