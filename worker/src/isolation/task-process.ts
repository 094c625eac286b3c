import { serveTasks } from './serve-tasks.js';

const TASKS = {
  image: async () => (await import('../wrapping/decode-image.js')).decodeImage,
  dicomdir: async () => (await import('../dicom/dicomdir-records.js')).readDicomdirRecords,
};

export type IsolatedTaskName = keyof typeof TASKS;

serveTasks(TASKS);
