// All commands. Only the one that is asked for is loaded: start-up time is mostly time spent reading modules.
import type { Define } from './context.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<{ readonly define: Define }>;
}

export const COMMANDS: readonly CommandEntry[] = [
  { name: 'validate', summary: 'check manifests, without a daemon', load: () => import('./commands/validate.ts') },
  { name: 'convert', summary: 'turn documents of LXD or Incus into manifests, and back', load: () => import('./commands/convert.ts') },
  { name: 'plan', summary: 'show what would change', load: () => import('./commands/plan.ts') },
  { name: 'diff', summary: 'show what would change as a unified diff', load: () => import('./commands/diff.ts') },
  { name: 'apply', summary: 'put manifests or a saved plan into effect', load: () => import('./commands/apply.ts') },
  { name: 'status', summary: 'show the daemon and its objects', load: () => import('./commands/status.ts') },
  { name: 'get', summary: 'list objects of a kind', load: () => import('./commands/get.ts') },
  { name: 'describe', summary: 'show everything about one object', load: () => import('./commands/describe.ts') },
  { name: 'why', summary: 'say why an object is as it is, and what it waits for', load: () => import('./commands/why.ts') },
  { name: 'history', summary: 'show what was done to an object', load: () => import('./commands/history.ts') },
  { name: 'explain', summary: 'say what a field or config key means', load: () => import('./commands/explain.ts') },
  { name: 'events', summary: 'show what happened', load: () => import('./commands/events.ts') },
  { name: 'audit', summary: 'show who changed what and why, or check the log', load: () => import('./commands/audit.ts') },
  { name: 'sync', summary: 'read the sources again now', load: () => import('./commands/sync.ts') },
  { name: 'confirm', summary: 'confirm deletions that wait', load: () => import('./commands/confirm.ts') },
  { name: 'delete', summary: 'delete an object made through the API', load: () => import('./commands/delete.ts') },
  { name: 'undelete', summary: 'bring a deleted object back, or list what can be', load: () => import('./commands/undelete.ts') },
  { name: 'purge', summary: 'remove deleted data for good', load: () => import('./commands/purge.ts') },
  { name: 'source', summary: 'list sources; forget one that is no longer configured', load: () => import('./commands/source.ts') },
  { name: 'exec', summary: 'run a command in an instance', load: () => import('./commands/exec.ts') },
  { name: 'doctor', summary: 'check what this host can do, without a daemon', load: () => import('./commands/doctor.ts') },
  { name: 'host-shutdown', summary: 'stop all instances because the host goes down', load: () => import('./commands/host-shutdown.ts') },
  { name: 'version', summary: 'show versions', load: () => import('./commands/version.ts') },
];
