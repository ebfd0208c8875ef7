// How far mmdebstrap is, from the lines it prints on stderr (1.3 and 1.5 print the same ones).
import type { Progress } from '../image-port.ts';

/** Share of the whole time at which each step begins, measured for a minbase image with systemd and cloud-init. */
const STEPS: readonly { readonly line: string; readonly text: string; readonly fraction: number }[] = [
  { line: 'running apt-get update', text: 'reading package lists', fraction: 0.02 },
  { line: 'downloading packages', text: 'downloading packages', fraction: 0.1 },
  { line: 'extracting archives', text: 'extracting packages', fraction: 0.25 },
  { line: 'installing essential packages', text: 'installing the base system', fraction: 0.3 },
  { line: 'installing remaining packages', text: 'installing packages', fraction: 0.45 },
  { line: 'running', text: 'setting up the system', fraction: 0.85 },
  { line: 'cleaning package lists', text: 'cleaning up', fraction: 0.87 },
  { line: 'creating tarball', text: 'writing the image', fraction: 0.9 },
];

/** A listener for lines of stderr. Never goes back. */
export function progressOf(report: Progress): (line: string) => void {
  let reached = -1;
  return (line) => {
    if (!line.startsWith('I: ')) return;
    const step = STEPS.findIndex((candidate) => line.startsWith(`I: ${candidate.line}`));
    const found = STEPS[step];
    if (found === undefined || step <= reached) return;
    reached = step;
    report(found.text, found.fraction);
  };
}
