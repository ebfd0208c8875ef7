// What route files are given: the ports, and who asks.
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Log } from '../core/log.ts';
import type { Control } from '../reconciler/control.ts';
import type { Explain } from '../reconciler/explain.ts';
import type { EventStream, HostShutdownPort, Operations, PeerReader } from './ports.ts';
import type { Refused } from './refused.ts';
import type { WebhookReceiver } from './webhooks/receiver.ts';

export interface ApiDeps {
  readonly control: Control;
  readonly explain: Explain;
  readonly operations: Operations;
  readonly hostShutdown: HostShutdownPort;
  readonly events: EventStream;
  /** Text in Prometheus' format. */
  metrics(): Promise<string>;
  readonly log: Log;
  /** Takes webhooks from git forges. Default: there is no such route. */
  readonly webhooks?: WebhookReceiver;
  /** Told of each request that would have changed something and was refused. Default: nobody is. */
  readonly refused?: Refused;
  readonly version: string;
  /** Reads SO_PEERCRED. Without it, actors are called `local`. */
  readonly peer?: PeerReader;
}

export interface RouteContext extends ApiDeps {
  /** Who is at the other end, as the audit log names it: `uid:0`. */
  readonly actor: (socket: Socket) => string;
}

export type Routes = (app: FastifyInstance, context: RouteContext) => void;
