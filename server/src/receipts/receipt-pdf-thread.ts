import { parentPort, workerData } from 'node:worker_threads';
import { renderReceiptPdf } from './receipt-pdf.js';

parentPort?.postMessage(await renderReceiptPdf(workerData));
