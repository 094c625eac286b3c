import { findUser } from '@relaypacs/core/db/users.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { createSession, type Session } from 'better-sse';
import { Router } from 'express';
import { type Guards, principalOf } from '../auth/authenticate.js';

/** Servers and proxies in between cut silent connections; a comment every so often keeps them. */
const HEARTBEAT_MS = 15_000;
/** More than anybody has windows open; beyond it the oldest stream ends. */
const MOST_STREAMS_PER_USER = 20;

interface Stream {
  userId: string;
  isAdmin: boolean;
  end: () => void;
}

export interface EventRoutes {
  routes: Router;
  /** Ends every stream, so that the server can stop. */
  close(): void;
}

/** `GET /api/v1/events`: what changes, as server-sent events, to the accounts it concerns. */
export function eventRoutes(
  platform: Pick<Platform, 'db' | 'events' | 'logger'>,
  guards: Guards,
): EventRoutes {
  const { db, events, logger } = platform;
  /** Oldest first. */
  const streams = new Map<Session, Stream>();
  const streamsOf = (userId: string) => [...streams.values()].filter((stream) => stream.userId === userId);

  const unsubscribe = events.subscribe((event) => {
    for (const [session, { userId, isAdmin }] of streams) {
      if (userId === event.userId || isAdmin) session.push(event, event.type);
    }
  });

  /** A stream outlives the request that was checked: accounts are looked at again, as with every request. */
  async function recheckAccounts(): Promise<void> {
    for (const userId of new Set([...streams.values()].map((stream) => stream.userId))) {
      const user = await findUser(db, userId);
      for (const stream of streamsOf(userId)) {
        if (user?.status !== 'active') stream.end();
        stream.isAdmin = user?.role === 'Admin';
      }
    }
  }
  const recheck = setInterval(() => {
    recheckAccounts().catch((error: unknown) =>
      logger.warn('The accounts of event streams could not be checked', { error }),
    );
  }, HEARTBEAT_MS);

  const routes = Router();
  routes.get('/', guards.requireUser, async (req, res) => {
    const session = await createSession(req, res, { keepAlive: HEARTBEAT_MS });
    const { userId, user, tokenExpires } = principalOf(res);
    // A stream must not outlive the token that opened it; the client comes back with a fresh one.
    const expiry = setTimeout(() => res.end(), tokenExpires.getTime() - Date.now());
    session.once('disconnected', () => {
      clearTimeout(expiry);
      streams.delete(session);
    });
    const others = streamsOf(userId);
    if (others.length >= MOST_STREAMS_PER_USER) others[0]?.end();
    const end = () => {
      // At once, and not when the other side has noticed: a dead connection must not count for ever.
      streams.delete(session);
      res.end();
    };
    streams.set(session, { userId, isAdmin: user.role === 'Admin', end });
  });

  return {
    routes,
    close() {
      unsubscribe();
      clearInterval(recheck);
      for (const { end } of streams.values()) end();
    },
  };
}
