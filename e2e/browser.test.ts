import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumLaunchOptions } from './support/chromium.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { type Stack, startStack } from './support/stack.js';
import { type MadeStudy, makeStudy } from './support/studies.js';

const PASSWORD = 'Correct-horse-7-battery';
let orthanc: Orthanc;
let stack: Stack;
let browser: Browser;
let folder: string;
let people = 0;

beforeAll(async () => {
  orthanc = await startOrthanc();
  stack = await startStack({ env: pacsVariables(orthanc) });
  browser = await chromium.launch(chromiumLaunchOptions());
  folder = await mkdtemp(path.join(tmpdir(), 'relaypacs-browser-'));
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await orthanc?.dispose();
  await rm(folder, { recursive: true, force: true });
});

interface Visit {
  page: Page;
  /** What the page complained of: script errors and refusals of the content security policy. */
  complaints: string[];
}

/** A new person registers in a browser of their own. */
async function register(viewport = { width: 1280, height: 800 }): Promise<Visit> {
  const context = await browser.newContext({
    viewport,
    hasTouch: viewport.width < 600,
    isMobile: viewport.width < 600,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Uncaught/.test(message.text())) {
      complaints.push(message.text());
    }
  });
  people += 1;
  await page.goto(`${stack.baseUrl}/register`);
  await page.getByLabel('Full name').fill('Sarah Chen');
  await page.getByLabel('Email').fill(`person${people}@example.org`);
  await page.getByLabel('Username').fill(`person${people}`);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: /create|register/i }).click();
  await page.getByRole('heading', { name: /send/i }).first().waitFor();
  return { page, complaints };
}

/** Writes a study as a disc would hold it: folders, names that tell nothing, and a file that is no image. */
async function writeFolder(name: string, study: MadeStudy): Promise<string> {
  const top = path.join(folder, name);
  await mkdir(path.join(top, 'IMAGES', 'S1'), { recursive: true });
  for (const [index, file] of study.files.entries()) {
    await writeFile(path.join(top, 'IMAGES', 'S1', `I${String(index).padStart(4, '0')}`), file);
  }
  await writeFile(path.join(top, 'README.TXT'), 'How to use the viewer');
  return top;
}

const pickFolder = (page: Page, directory: string) =>
  page.getByTestId('pick-folder').setInputFiles(directory);

describe('a person in a browser', () => {
  it('picks a folder, presses one button, and the study stands in the PACS byte for byte', async () => {
    const { page, complaints } = await register();
    const study = makeStudy(30, { patientName: 'Müller^Jörg', patientId: 'B-1', rows: 256, columns: 256 });
    await pickFolder(page, await writeFolder('first', study));
    await page.getByText('Müller, Jörg').waitFor();
    await page.getByText(/30 images/).waitFor();
    await page.getByRole('button', { name: /^Send 1 study/ }).click();
    await page.getByText('Delivered, 30 of 30 confirmed').first().waitFor({ timeout: 60_000 });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
    expect(complaints).toEqual([]);
  });

  it('need not begin again when the server dies under the transfer', async () => {
    const { page, complaints } = await register();
    const study = makeStudy(40, { rows: 512, columns: 512 });
    const network = await page.context().newCDPSession(page);
    const speed = { downloadThroughput: 4_000_000, uploadThroughput: 4_000_000, latency: 20 };
    await network.send('Network.emulateNetworkConditions', { offline: false, ...speed });
    await pickFolder(page, await writeFolder('second', study));
    await page.getByRole('button', { name: /^Send 1 study/ }).click();
    await page.getByText(/^[1-9]\d? %$/).waitFor();
    await stack.server.kill();
    await stack.server.start();
    await page.getByText('Delivered, 40 of 40 confirmed').first().waitFor({ timeout: 90_000 });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
    expect(complaints).toEqual([]);
  });

  it('can continue a study that a reload of the page has interrupted', async () => {
    const { page, complaints } = await register({ width: 360, height: 740 });
    page.on('dialog', (dialog) => void dialog.accept());
    const study = makeStudy(40, { patientName: 'Broken^Off', rows: 512, columns: 512 });
    const files = study.files.map((file, index) => ({
      name: `I${index}`,
      mimeType: '',
      buffer: Buffer.from(file),
    }));
    const network = await page.context().newCDPSession(page);
    const slow = { downloadThroughput: 4_000_000, uploadThroughput: 4_000_000, latency: 20 };
    await network.send('Network.emulateNetworkConditions', { offline: false, ...slow });
    await page.getByTestId('pick-files').setInputFiles(files);
    await page.getByRole('button', { name: /^Send 1 study/ }).click();
    await page.getByText(/^[2-6]\d %$/).waitFor();
    await page.reload();
    await page.getByTestId('pick-files').setInputFiles(files);
    await page.getByRole('button', { name: /^Send 1 study/ }).click();
    const question = page.getByRole('dialog');
    await question.getByText(/You began to send this study at .* not finished/).waitFor();
    await question.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Delivered, 40 of 40 confirmed').first().waitFor({ timeout: 90_000 });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
    await page.getByRole('link', { name: 'Uploads' }).click();
    await page.getByRole('link', { name: /Broken, Off/ }).waitFor();
    expect(await page.getByRole('link', { name: /Broken, Off/ }).count()).toBe(1);
    expect(complaints).toEqual([]);
  });

  it('is warned before sending the same study a second time', async () => {
    const { page } = await register();
    const study = makeStudy(2, { patientName: 'Twice^Sent', studyDate: '20260304' });
    const directory = await writeFolder('twice', study);
    for (const round of [1, 2]) {
      await pickFolder(page, directory);
      await page.getByRole('button', { name: /^Send 1 study/ }).click();
      if (round === 2)
        await page
          .getByRole('dialog')
          .getByRole('button', { name: /send (it )?again/i })
          .click();
      const delivered = page.getByRole('article').filter({ hasText: 'Delivered, 2 of 2 confirmed' });
      await expect.poll(() => delivered.count(), { timeout: 60_000 }).toBe(round);
    }
  });

  it('is told which image is damaged before anything is sent, and the rest arrives', async () => {
    const { page } = await register();
    const study = makeStudy(3, { patientName: 'Partly^Damaged' });
    const directory = await writeFolder('damaged', study);
    const whole = study.files[0]!;
    await writeFile(path.join(directory, 'IMAGES', 'BROKEN'), whole.subarray(0, whole.length - 2000));
    await pickFolder(page, directory);
    await page.getByText(/1 image is damaged/).waitFor();
    await page.getByRole('button', { name: /^Send 1 study/ }).click();
    await page.getByText('Delivered, 3 of 3 confirmed').first().waitFor({ timeout: 60_000 });
  });

  it('finds the list and the details of what was sent, and stays signed in after a reload', async () => {
    const { page } = await register();
    const study = makeStudy(2, { patientName: 'Listed^Study' });
    await pickFolder(page, await writeFolder('listed', study));
    await page.getByRole('button', { name: /^Send 1 study/ }).click();
    await page.getByText('Delivered, 2 of 2 confirmed').first().waitFor({ timeout: 60_000 });
    await page.getByRole('link', { name: 'Uploads' }).click();
    await page.reload();
    await page.getByRole('link', { name: /Listed, Study/ }).click();
    await page.getByText('Delivered, 2 of 2 confirmed').first().waitFor();
    await page.getByRole('heading', { name: /what happened|timeline/i }).waitFor();
  });

  it('can use every screen on a small phone without scrolling sideways', async () => {
    const { page, complaints } = await register({ width: 320, height: 640 });
    const noSidewaysScroll = async () =>
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320);
    await noSidewaysScroll();
    const study = makeStudy(2, { patientName: 'Verylongfamilyname-Doublebarrelled^Firstname Secondname' });
    await page
      .getByTestId('pick-files')
      .setInputFiles(
        study.files.map((file, index) => ({ name: `I${index}`, mimeType: '', buffer: Buffer.from(file) })),
      );
    const send = page.getByRole('button', { name: /^Send 1 study/ });
    await send.waitFor();
    await noSidewaysScroll();
    expect((await send.boundingBox())?.height).toBeGreaterThanOrEqual(44);
    await send.click();
    await page.getByText('Delivered, 2 of 2 confirmed').first().waitFor({ timeout: 60_000 });
    await noSidewaysScroll();
    await page.getByRole('link', { name: 'Uploads' }).click();
    await page.getByRole('link', { name: /Verylong/ }).click();
    await page.getByText('Delivered, 2 of 2 confirmed').first().waitFor();
    await noSidewaysScroll();
    expect(complaints).toEqual([]);
  });
});
