import { isApiTokenLive } from '@relaypacs/core/db/api-tokens.js';
import { findUser } from '@relaypacs/core/db/users.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { createSession, type Session } from 'better-sse';
import { Router } from 'express';
import { type Guards, type Principal, principalOf } from '../auth/authenticate.js';
import { seesEverything } from '../uploads/upload-access.js';

/** Servers and proxies in between cut silent connections; a comment every so often keeps them. */
const HEARTBEAT_MS = 15_000;
/** More than anybody has windows open; beyond it the oldest stream ends. */
const MOST_STREAMS_PER_USER = 20;

/** API tokens live for months, which is more than a timer can count; a client that is cut off comes back. */
const LONGEST_STREAM_MS = 24 * 3_600_000;

interface Stream {
  principal: Principal;
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
  const streamsOf = (userId: string) =>
    [...streams.values()].filter(({ principal }) => principal.userId === userId);

  const unsubscribe = events.subscribe((event) => {
    for (const [session, { principal }] of streams) {
      if (principal.userId === event.userId || seesEverything(principal)) session.push(event, event.type);
    }
  });

  /** A stream outlives the request that was checked: accounts and API tokens are looked at again, as with every request. */
  async function recheckPrincipals(): Promise<void> {
    for (const userId of new Set([...streams.values()].map(({ principal }) => principal.userId))) {
      const user = await findUser(db, userId);
      for (const stream of streamsOf(userId)) {
        const { principal } = stream;
        const isRevoked = principal.kind === 'token' && !(await isApiTokenLive(db, principal.tokenId));
        if (user?.status !== 'active' || isRevoked) stream.end();
        else stream.principal = { ...principal, user };
      }
    }
  }
  const recheck = setInterval(() => {
    recheckPrincipals().catch((error: unknown) =>
      logger.warn('The accounts of event streams could not be checked', { error }),
    );
  }, HEARTBEAT_MS);

  const routes = Router();
  routes.get('/', guards.requireUploader, async (req, res) => {
    const session = await createSession(req, res, { keepAlive: HEARTBEAT_MS });
    const principal = principalOf(res);
    // A stream must not outlive the token that opened it; the client comes back with a fresh one.
    const left = principal.tokenExpires.getTime() - Date.now();
    const expiry = setTimeout(() => res.end(), Math.min(left, LONGEST_STREAM_MS));
    session.once('disconnected', () => {
      clearTimeout(expiry);
      streams.delete(session);
    });
    const others = streamsOf(principal.userId);
    if (others.length >= MOST_STREAMS_PER_USER) others[0]?.end();
    const end = () => {
      // At once, and not when the other side has noticed: a dead connection must not count for ever.
      streams.delete(session);
      res.end();
    };
    streams.set(session, { principal, end });
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
