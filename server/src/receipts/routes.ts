import { findReceiptPdf, recordReceiptPdf } from '@relaypacs/core/db/receipts.js';
import { type Request, type Response, Router } from 'express';
import type { Guards } from '../auth/authenticate.js';
import { actorOf } from '../http/request-context.js';
import { permittedUpload } from '../uploads/permitted-upload.js';
import { maySeeUpload } from '../uploads/upload-access.js';
import { type ReceiptDeps, receiptFor } from './issue-receipt.js';
import { ReceiptRenderer } from './receipt-renderer.js';
import { withSignature } from './sign-receipt.js';

/** `/api/v1/uploads/:id/receipt`, as JSON and as PDF. */
export function receiptRoutes(deps: ReceiptDeps & { guards: Guards }): Router {
  const { platform, guards } = deps;
  const { db } = platform;
  const router = Router();
  const renderer = new ReceiptRenderer();

  const receiptOf = async (req: Request, res: Response) =>
    receiptFor(deps, await permittedUpload(db, req, res, maySeeUpload), actorOf(req, res));

  router.get('/:id/receipt', guards.requireUserOrUpload, async (req, res) => {
    const { jws } = await receiptOf(req, res);
    res.type('json').send(withSignature(jws));
  });

  router.get('/:id/receipt.pdf', guards.requireUserOrUpload, async (req, res) => {
    const { id, jws } = await receiptOf(req, res);
    const known = () => findReceiptPdf(db, id);
    let pdf: Uint8Array | undefined = await known();
    if (!pdf) {
      pdf = await renderer.render(known, jws);
      await recordReceiptPdf(db, id, pdf);
    }
    // Without the patient's name: it would stand in the browser's list of downloads.
    res.attachment(`receipt-${id}.pdf`).type('pdf').send(Buffer.from(pdf));
  });

  return router;
}
