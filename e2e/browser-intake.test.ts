import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeJpeg, withMetadata } from '../worker/src/wrapping/testing/pictures.js';
import { ApiClient } from './support/api-client.js';
import { chromiumLaunchOptions } from './support/chromium.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

const PASSWORD = 'Correct-horse-7-battery';
let orthanc: Orthanc;
let stack: Stack;
let browser: Browser;
let people = 0;

beforeAll(async () => {
  orthanc = await startOrthanc();
  stack = await startStack({ env: pacsVariables(orthanc) });
  browser = await chromium.launch(chromiumLaunchOptions());
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await orthanc?.dispose();
});

/** A new person at a phone. */
async function register(): Promise<{ page: Page; username: string }> {
  const viewport = { width: 360, height: 740 };
  const context = await browser.newContext({ viewport, hasTouch: true, isMobile: true });
  const page = await context.newPage();
  people += 1;
  const username = `phone${people}`;
  await page.goto(`${stack.baseUrl}/register`);
  await page.getByLabel('Full name').fill('Sarah Chen');
  await page.getByLabel('Email').fill(`${username}@example.org`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: /create|register/i }).click();
  await page.getByRole('heading', { name: /send/i }).first().waitFor();
  return { page, username };
}

const named = (files: readonly Uint8Array[], name = (index: number) => `I${index}`) =>
  files.map((file, index) => ({ name: name(index), mimeType: '', buffer: Buffer.from(file) }));
const pick = (page: Page, files: ReturnType<typeof named>) =>
  page.getByTestId('pick-files').setInputFiles(files);
const send = (page: Page) => page.getByRole('button', { name: /^Send 1 study/ }).click();
const delivered = (page: Page, text: string) =>
  page.getByText(`Delivered, ${text}`).first().waitFor({ timeout: 60_000 });

describe('a person with a phone', () => {
  it('sends a ZIP as it is, having seen what is in it', async () => {
    const { page } = await register();
    const study = makeStudy(6, { patientName: 'Packed^Zoe' });
    const entries = study.files.map((content, i) => ({ path: `D/IM${i}`, content, deflate: true }));
    const program = { path: 'D/VIEWER.EXE', content: new TextEncoder().encode('MZ a program') };
    await pick(
      page,
      named([buildZip([...entries, program])], () => 'anything.bin'),
    );
    await page.getByText('Packed, Zoe').waitFor();
    await page.getByText(/6 images/).waitFor();
    await page.getByText(/1 file in the archive is no image/).waitFor();
    await send(page);
    await delivered(page, '6 of 6 confirmed');
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('sends photos with a note, and they become a study', async () => {
    const { page } = await register();
    // Of one picture sent twice only one would go on.
    const photos = [24, 32].map((columns) =>
      withMetadata(makeJpeg(columns), { orientation: 6, make: 'Fairphone' }),
    );
    await pick(
      page,
      named(photos, (i) => `IMG_${i}.jpg`),
    );
    await page.getByLabel(/Patient name/).fill('Wound, Wanda');
    await page.getByLabel(/Clinical history/).fill('Cut by glass, left hand.');
    await send(page);
    // Two photos, the note as a document and as text.
    await delivered(page, '4 of 4 confirmed');
    await page.getByRole('link', { name: 'See details' }).click();
    await page.getByText(/XC/).first().waitFor();
  });

  it('is told that an image seems to be missing before anything is sent, and adds it', async () => {
    const { page } = await register();
    const study = makeStudy(7, { patientName: 'Gap^Gregory' });
    await pick(page, named(study.files.filter((_, i) => i !== 3)));
    await page.getByText('Images seem to be missing.').waitFor();
    await page.getByTestId('add-missing-files').setInputFiles(named(study.files.slice(3, 4), () => 'I3'));
    await page.getByText('Images seem to be missing.').waitFor({ state: 'detached' });
    await send(page);
    await delivered(page, '7 of 7 confirmed');
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });

  it('answers an upload that waits for an answer, by adding files or by sending it as it is', async () => {
    const { page, username } = await register();
    const client = ApiClient.anonymous(stack.baseUrl);
    const login = await client.post('/api/v1/auth/login', { username, password: PASSWORD });
    client.token = String(login.body.accessToken);
    const asked = { onDoubt: 'ask', studyDate: '2026-01-05' } as const;
    for (const answer of ['add', 'send'] as const) {
      const study = makeStudy(5, { patientName: `Waiting^${answer}` });
      const id = await client.send(
        study.files.filter((_, i) => i !== 2),
        { ...asked, patientName: `Waiting, ${answer}` },
      );
      await client.waitFor(id, ({ waitingFor }) => waitingFor === 'sender');
      await page.goto(`${stack.baseUrl}/uploads`);
      await page.getByRole('heading', { name: '1 upload waits for your answer' }).waitFor();
      await page.goto(`${stack.baseUrl}/uploads/${id}`);
      await page
        .getByText(/image 3 seems? to be missing/)
        .first()
        .waitFor();
      if (answer === 'send') await page.getByRole('button', { name: 'Send as it is' }).click();
      else await page.getByTestId('add-files').setInputFiles(named(study.files.slice(2, 3)));
      await client.waitFor(id, ({ status }) => status === 'delivered', 60_000);
      const expected = answer === 'send' ? 4 : 5;
      await page.getByText(`${expected} of ${expected} confirmed`).first().waitFor();
    }
  });
});
