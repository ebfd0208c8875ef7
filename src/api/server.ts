// The REST server: fastify with strict schemas, problem documents for every error, and one file per group of routes under v1/.
// Handlers translate HTTP to `Control` and `Operations`, nothing more.
//
//   unix socket ──> fastify (schema) ──> v1/*.ts ──> Control, Operations, EventStream
//        └─ upgrade ──> v1/exec.ts (WebSocket)
import { unlink } from 'node:fs/promises';
import Fastify, { type InjectOptions, type LightMyRequestResponse } from 'fastify';
import { answerErrors } from './answer-errors.ts';
import type { ApiDeps, RouteContext, Routes } from './deps.ts';
import { OpenApiCollector } from './openapi.ts';
import { actorReader, nameOf } from './peer.ts';
import { refusalOf } from './refused.ts';
import { clearSocketPath, restrictSocket } from './unix-socket.ts';
import { auditRoutes } from './v1/audit.ts';
import { explainRoutes } from './v1/explain.ts';
import { applyRoutes } from './v1/apply.ts';
import { confirmationRoutes } from './v1/confirmations.ts';
import { eventRoutes } from './v1/events.ts';
import { execRoutes } from './v1/exec.ts';
import { healthRoutes } from './v1/health.ts';
import { hostShutdownRoutes } from './v1/host-shutdown.ts';
import { objectRoutes } from './v1/objects.ts';
import { openApiRoutes } from './v1/openapi.ts';
import { planRoutes } from './v1/plan.ts';
import { sourceRoutes } from './v1/sources.ts';
import { statusRoutes } from './v1/status.ts';
import { syncRoutes } from './v1/sync.ts';
import { tombstoneRoutes } from './v1/tombstones.ts';
import { undeleteRoutes } from './v1/undelete.ts';
import { webhookRoutes } from './v1/webhooks.ts';

/** Enough for names and numbers; routes that take manifests say more. */
const BODY_LIMIT_BYTES = 64 * 1024;

const ROUTES: readonly Routes[] = [
  healthRoutes,
  statusRoutes,
  objectRoutes,
  explainRoutes,
  auditRoutes,
  planRoutes,
  applyRoutes,
  syncRoutes,
  sourceRoutes,
  confirmationRoutes,
  undeleteRoutes,
  tombstoneRoutes,
  eventRoutes,
  execRoutes,
  hostShutdownRoutes,
];

export interface ListenOptions {
  /** Group (name or id) that may connect besides root. Default: the daemon's own. */
  readonly group?: string | number;
}

export interface ApiServer {
  /** Listens on a unix socket, mode 0660. A stale socket is replaced; throws STATE_DIR_BUSY when another process listens there. */
  listenUnix(path: string, options?: ListenOptions): Promise<void>;
  /** A request without a socket, for tests. */
  inject(request: InjectOptions): Promise<LightMyRequestResponse>;
  /** Ends event streams and commands, closes connections and removes the socket. Calling it twice is fine. */
  close(): Promise<void>;
}

export async function createApi(deps: ApiDeps): Promise<ApiServer> {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 255 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allowUnionTypes: true } },
  });
  // Answers are written as they are: fast-json-stringify would silently drop members its schema does not know.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  const actor = actorReader(deps.peer);
  answerErrors(app, deps.log, (request, problem) => {
    const refusal = refusalOf(request, nameOf(actor, request.raw.socket), problem);
    if (refusal !== undefined) deps.refused?.(refusal);
  });

  const openApi = new OpenApiCollector();
  app.addHook('onRoute', (route) => openApi.add(route));
  const context: RouteContext = { ...deps, actor };
  for (const routes of ROUTES) routes(app, context);
  if (deps.webhooks !== undefined) webhookRoutes(app, deps.webhooks);
  openApiRoutes(app, openApi, deps.version);
  await app.ready();

  let socketPath: string | undefined;
  return {
    async listenUnix(path, options = {}) {
      await clearSocketPath(path);
      await app.listen({ path });
      socketPath = path;
      await restrictSocket(path, options.group);
    },
    inject: (request) => app.inject(request),
    async close() {
      await app.close();
      // libuv removes the file of a socket it closes; this is for a daemon that was told to stop half-way.
      if (socketPath !== undefined) await unlink(socketPath).catch(() => undefined);
      socketPath = undefined;
    },
  };
}
