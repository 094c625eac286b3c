/** The queues and what their jobs carry: ids only, never patient data. */
export interface JobPayloads {
  /** Open, check and record what one upload holds; `early`: deliver what may go while the rest still arrives. */
  intake: { uploadId: string; early?: true };
  /** Look at what has arrived of one upload while the rest still does. */
  arrivals: { uploadId: string };
  /** Bring one study into the PACS and prove that it is there. */
  delivery: { studyId: string };
}

export type QueueName = keyof JobPayloads;
export const QUEUE_NAMES: readonly QueueName[] = ['intake', 'arrivals', 'delivery'];

/** A job as it is written to the outbox and handed to BullMQ. */
export interface QueuedJob<Q extends QueueName = QueueName> {
  queue: Q;
  /** Ours, so that adding the same job twice adds it once. No colon: BullMQ refuses it. */
  jobId: string;
  payload: JobPayloads[Q];
  /** 1 is served first. Every job has one: in BullMQ a job without priority runs before priority 1. */
  priority: number;
  /** Not before this time. */
  runAt: Date;
}
