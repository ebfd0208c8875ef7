// An Explain that answers from plain data and records what it was asked, for tests of the API and the client.
import { AppError } from '../../src/core/errors.ts';
import { makeRef, refKey, type ResourceRef, refText } from '../../src/core/ref.ts';
import type { AuditPage, AuditQuery, Explain } from '../../src/reconciler/explain.ts';
import type { HistoryRun } from '../../src/reconciler/history.ts';
import type { Why } from '../../src/reconciler/why.ts';
import type { ChainHead, ChainVerdict } from '../../src/state/audit-chain.ts';
import { WEB } from './fake-control.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const LAN = makeRef('Network', 'lan');

export const RUN: HistoryRun = {
  openedAt: AT,
  closedAt: AT + 1500,
  durationMs: 1500,
  revision: 'aaaabbbbccccdddd',
  source: 'main',
  causes: ['source "main" changed what it declares'],
  outcome: 'done',
  changes: [
    {
      change: 'setLimits',
      verdict: 'live',
      summary: 'apply limits',
      fields: [{ field: 'config.limits.memory', from: '256MiB', to: '512MiB' }],
      outcome: 'done',
      closedAt: AT + 1500,
    },
  ],
};

export const WAITS: Why = {
  ref: WEB,
  uid: 'uid-web',
  ready: { status: 'False', reason: 'WaitingForNeeds', message: 'It waits for Network "lan".', since: AT },
  declared: {
    source: 'main',
    location: '/srv/manifests',
    revision: 'aaaabbbbccccdddd',
    changedIn: '9999888877776666',
    signer: 'alice@example.com (SHA256:abc)',
    file: '/srv/manifests/web.yaml',
    line: 3,
  },
  observedRevision: 'aaaabbbbccccdddd',
  rule: {
    reason: 'WaitingForNeeds',
    message: 'The next change (start) waits for Network "lan".',
    meaning: 'Something that it needs is not there yet.',
    file: '/srv/manifests/web.yaml',
    line: 3,
  },
  chain: [
    {
      from: WEB,
      ref: LAN,
      asked: { file: '/srv/manifests/web.yaml', line: 9, field: 'devices.eth0.network' },
      rule: {
        reason: 'TOOL_MISSING',
        message: 'It could not start its DHCP server: dnsmasq is not installed.',
        file: '/srv/manifests/lan.yaml',
        line: 1,
      },
      root: true,
    },
  ],
  chainCut: false,
  error: undefined,
  lastLook: {
    at: AT,
    causes: [{ event: 'NeedLost', text: 'Network "lan", which it needs, is no longer ready', at: AT }],
  },
  lastRun: RUN,
  notes: ['Its source "main" cannot be read as it is now: gone. What it last declared stays in force.'],
};

export class FakeExplain implements Explain {
  answer: Why = WAITS;
  runs: readonly HistoryRun[] = [RUN];
  page: AuditPage = {
    entries: [
      {
        seq: 7,
        at: AT,
        actor: 'source:main@aaaabbbbccccdddd',
        action: 'setLimits',
        ref: refKey(WEB),
        hash: 'f'.repeat(64),
        detail: { summary: 'apply limits', outcome: 'done', fields: RUN.changes[0]!.fields, file: 'web.yaml', line: 3, causes: RUN.causes },
      },
      { seq: 6, at: AT, actor: 'uid:0', action: 'sync', ref: '', hash: 'e'.repeat(64), detail: { summary: 'look again now' } },
    ],
    next: 6,
  };
  verdict: ChainVerdict = { entries: 7, head: { seq: 7, hash: 'f'.repeat(64) }, broken: undefined };
  readonly asked: unknown[] = [];

  why(ref: ResourceRef): Why {
    this.#check(ref);
    return this.answer;
  }

  history(ref: ResourceRef, limit: number): readonly HistoryRun[] {
    this.#check(ref);
    return this.runs.slice(0, limit);
  }

  audit(query: AuditQuery): AuditPage {
    this.asked.push(query);
    return this.page;
  }

  async verifyAudit(expected?: ChainHead): Promise<ChainVerdict> {
    this.asked.push(expected);
    return this.verdict;
  }

  #check(ref: ResourceRef): void {
    if (ref.name === 'nothing') throw new AppError('NOT_FOUND', {}, { message: `There is no ${refText(ref)}.` });
  }
}
