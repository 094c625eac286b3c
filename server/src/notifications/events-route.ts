import type { EventBus } from '@relaypacs/core/events/event-bus.js';
import { createSession, type Session } from 'better-sse';
import { Router } from 'express';
import { type Guards, type Principal, principalOf } from '../auth/authenticate.js';

/** Servers and proxies in between cut silent connections; a comment every so often keeps them. */
const HEARTBEAT_MS = 15_000;

export interface EventRoutes {
  routes: Router;
  /** Ends every stream, so that the server can stop. */
  close(): void;
}

/** `GET /api/v1/events`: what changes, as server-sent events, to the accounts it concerns. */
export function eventRoutes(events: EventBus, guards: Guards): EventRoutes {
  const streams = new Map<Session, { principal: Principal; end: () => void }>();

  const unsubscribe = events.subscribe((event) => {
    for (const [session, { principal }] of streams) {
      if (principal.userId === event.userId || principal.user.role === 'Admin')
        session.push(event, event.type);
    }
  });

  const routes = Router();
  routes.get('/', guards.requireUser, async (req, res) => {
    const session = await createSession(req, res, { keepAlive: HEARTBEAT_MS });
    const principal = principalOf(res);
    // A stream must not outlive the token that opened it; the client comes back with a fresh one.
    const expiry = setTimeout(() => res.end(), principal.tokenExpires.getTime() - Date.now());
    streams.set(session, { principal, end: () => res.end() });
    session.once('disconnected', () => {
      clearTimeout(expiry);
      streams.delete(session);
    });
  });

  return {
    routes,
    close() {
      unsubscribe();
      for (const { end } of streams.values()) end();
    },
  };
}
