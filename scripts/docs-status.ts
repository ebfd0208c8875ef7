// The reference pages of conditions (types, reasons, error codes, causes) and metrics, from the tables in src/core and src/status.
import { CAUSES } from '../src/core/cause.ts';
import { ERRORS, type RetryClass } from '../src/core/errors.ts';
import { REASONS } from '../src/core/reasons.ts';
import { METRICS } from '../src/status/metric-table.ts';

const RETRY: Readonly<Record<RetryClass, string>> = {
  backoff: 'by itself, after 1 s, 2 s, 4 s ... 5 min',
  'on-change': 'when manifest or host change (and every 5 min)',
  never: 'not',
};

const HEAD = `<!-- Made by \`npm run docs\` from src/core. Change it there. -->
# Conditions

Every object has conditions as [kstatus](https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus) defines them:
\`lockstep status\`, \`describe\`, \`why\` and \`GET /v1/objects\` show them.

| condition | True | False | Unknown |
|---|---|---|---|
| \`Ready\` | It is as declared, and a look after the last change planned nothing. | Something is missing; the reason says what. | It cannot be told: its manifest never was valid, or the host could not be read. |
| \`Reconciling\` | There are changes to carry out. | The last look planned nothing. | |
| \`Stalled\` | It does not go on by itself: a person has to do something. | It goes on by itself. | |

\`observedRevision\` is the revision of its source that was last fully applied. \`error\` is the last change that failed: code, message, hint,
the change, and the file and line of the manifest that asked for it; \`nextRetry\` is when it is tried again. Both go when a look finds the
object as declared, or when its manifest changes.

## Reasons

Besides these, a failed change's error code is the reason of \`Ready\`, and of \`Stalled\` when trying again is useless.

| reason | condition | what it means |
|---|---|---|
`;

export function conditionsPage(): string {
  const reasons = Object.entries(REASONS).map(
    ([name, { of, text }]) => `| \`${name}\` | ${of.map((one) => `\`${one}\``).join(' ')} | ${text} |`,
  );
  const errors = Object.entries(ERRORS).map(([code, { http, retry, text }]) => `| \`${code}\` | ${text} | ${RETRY[retry]} | ${http} |`);
  const causes = Object.entries(CAUSES).map(([event, text]) => `| \`${event}\` | ${text.replace('ABOUT', '*that*')} |`);
  return [
    HEAD.trimEnd(),
    ...reasons.toSorted(),
    '\n## Error codes\n\n| code | what it means | tried again | HTTP status |\n|---|---|---|---|',
    ...errors,
    '\n## Causes\n\nWhy an object was looked at, as `lockstep why` and the history tell it.\n\n| event | text |\n|---|---|',
    ...causes,
    '',
  ].join('\n');
}

const METRICS_HEAD = `<!-- Made by \`npm run docs\` from src/status/metric-table.ts. Change it there. -->
# Metrics

\`GET /metrics\` on the daemon's socket, in the text format of Prometheus. Labels never hold names of objects, so the number of series does not
grow with them; of more than 100 sources, those beyond the first by name are told together as \`(others)\`.

\`\`\`sh
curl --unix-socket /run/lockstep/lockstep.sock http://lockstep/metrics
\`\`\`

| metric | type | unit | labels | what it is |
|---|---|---|---|---|
`;

const WORTH_AN_ALERT = `
## Worth an alert

- \`lockstep_objects{condition="Stalled",status="True"} > 0\`: something does not go on by itself (\`lockstep status\`, \`lockstep why\`).
- \`lockstep_source_age_seconds > 900\` or \`lockstep_source_failing == 1\` for a while: manifests are not followed any more.
- \`lockstep_confirmations_waiting > 0\`: deletions wait for a person.
- \`lockstep_objects{condition="Ready",status!="True"} > 0\` for longer than a start takes.
- \`nodejs_eventloop_lag_max_seconds > 1\`: the daemon has too much to do, or the host too little to give.
`;

export function metricsPage(): string {
  const rows = Object.entries(METRICS).map(([name, { type, unit, labels, help }]) => {
    const names = labels.map((label) => `\`${label}\``).join(' ');
    return `| \`${name}\` | ${type} | ${unit === 'none' ? '' : unit} | ${names} | ${help} |`;
  });
  return [METRICS_HEAD.trimEnd(), ...rows, WORTH_AN_ALERT].join('\n');
}
