import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import { buildDicom, type DicomOptions, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { ApiClient, PASSWORD } from './support/api-client.js';
import { chromiumLaunchOptions } from './support/chromium.js';
import { type Stack, startStack } from './support/stack.js';

let pacs: TestSandbox;
let stack: Stack;
let browser: Browser;
let admin: ApiClient;
let jane: ApiClient;
let adminPage: Page;
let janePage: Page;

beforeAll(async () => {
  // Refuses images without a Patient ID.
  pacs = await TestSandbox.start({ personality: 'dcm4chee' });
  const env = { PACS_URL: pacs.url, PACS_NAME: 'Hill PACS' };
  [stack, browser] = await Promise.all([startStack({ env }), chromium.launch(chromiumLaunchOptions())]);
  admin = await ApiClient.signUp(stack.baseUrl);
  jane = await ApiClient.signUp(stack.baseUrl, 'Clinician', 'Hill Clinic');
  [adminPage, janePage] = [await signIn(admin, 1280), await signIn(jane, 360)];
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await pacs?.stop();
});

async function signIn({ username }: ApiClient, width: number): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width, height: 800 } })).newPage();
  await page.goto(`${stack.baseUrl}/sign-in`);
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: /sign in/i }).click();
  await page.getByRole('heading', { name: /send/i }).first().waitFor();
  return page;
}

/** Images of one study; what is given for each comes on top. */
function makeImages(...each: DicomOptions[]): Uint8Array[] {
  const uids = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
  const about = { patientName: 'Doe^Jane', studyDate: '20260102', patientId: 'P-1' };
  return each.map((more, i) =>
    buildDicom({ ...uids, ...about, sopInstanceUid: newUid(), instanceNumber: i + 1, ...more }),
  );
}
const REFUSED = { omit: [TAG.patientId] };

/** Sends images as Jane, and opens the page of the upload once that has come to `status`. */
async function open(
  page: Page,
  files: readonly Uint8Array[],
  status: UploadDetail['status'],
  given: Parameters<ApiClient['send']>[1] = {},
): Promise<string> {
  const id = await jane.send(files, given);
  await jane.waitFor(id, (upload) => upload.status === status);
  await page.goto(`${stack.baseUrl}/uploads/${id}`);
  await page.locator('#status-heading').waitFor();
  return id;
}

/** That a page fits its width, and every control a finger. */
async function expectUsable(page: Page): Promise<void> {
  const { wide, small } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    small: [...document.querySelectorAll('main button, main summary, dialog button')]
      .map((element) => ({ element, height: element.getBoundingClientRect().height }))
      .filter(({ height }) => height > 0 && height < 43.5)
      .map(({ element }) => element.outerHTML),
  }));
  expect({ wide, small }).toEqual({ wide: false, small: [] });
}

it('shows an account where it works', async () => {
  await janePage.getByRole('button', { name: `Account of ${jane.username}` }).click();
  await janePage.getByText('Hill Clinic').waitFor();
  await expectUsable(janePage);
  await janePage.keyboard.press('Escape');
});

describe('the state of the system', () => {
  it('is shown to administrators: each PACS, what waits, and what failed, with the way to it', async () => {
    const page = adminPage;
    const id = await jane.send(makeImages(REFUSED));
    await jane.waitFor(id, ({ status }) => status === 'failed');
    await page.getByRole('link', { name: 'System' }).click();
    const shown = page.getByRole('region', { name: 'Hill PACS' });
    await shown.getByText('Takes studies').waitFor();
    await shown.getByText('Nothing waits for it.').waitFor();
    await pacs.putFaults({ kind: 'refuse', on: 'any' });
    const waiting = await jane.send(makeImages({}));
    await jane.waitFor(waiting, ({ waitingFor }) => waitingFor === 'pacs');
    // Without anybody's doing.
    await shown.getByText(/^Takes nothing since/).waitFor();
    await shown.getByText('1 study waits for it.').waitFor();
    await pacs.deleteFaults();
    await page.setViewportSize({ width: 360, height: 800 });
    await expectUsable(page);
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('link', { name: '1 of 1 images could not be delivered' }).first().click();
    await page.getByRole('heading', { name: 'Not delivered' }).waitFor();
    await jane.waitFor(waiting, ({ status }) => status === 'delivered');
  });

  it('is no page for anybody else', async () => {
    expect(await janePage.getByRole('link', { name: 'System' }).count()).toBe(0);
    await janePage.goto(`${stack.baseUrl}/admin/system`);
    await janePage.getByRole('heading', { name: 'Page not found' }).waitFor();
  });
});

it('says once what the checks found while it waits for an answer', async () => {
  const id = await jane.send(makeImages({}), { patientName: 'Roe^Richard', onDoubt: 'ask' });
  await jane.waitFor(id, ({ waitingFor }) => waitingFor === 'sender');
  await janePage.goto(`${stack.baseUrl}/uploads/${id}`);
  const doubt = /you entered Roe/;
  await janePage.getByText(doubt).first().waitFor();
  await janePage.getByRole('heading', { name: 'The study' }).waitFor();
  expect(await janePage.getByText(doubt).count()).toBe(1);
});

it('says once why nothing could be sent', async () => {
  const cut = makeImages({}).map((file) => file.subarray(0, file.length - 20));
  await open(janePage, cut, 'rejected');
  const reason = /image data is shorter|ends too early|part of the image is missing/;
  await janePage.getByText('1 file not accepted').waitFor();
  expect(await janePage.getByText(reason).count()).toBe(1);
  await janePage.getByText('IM0.dcm').first().waitFor();
});

it('is quiet about images without an accession number, and tells programs', async () => {
  const images = makeImages({ accessionNumber: '' }, { accessionNumber: '' });
  const id = await open(janePage, images, 'delivered');
  await janePage.getByText('All files (2)').waitFor();
  expect(await janePage.getByText(/Remarks on|accession number/i).count()).toBe(0);
  expect((await jane.upload(id)).files.map(({ findings }) => findings)).toEqual(
    images.map(() => [
      { code: 'NO_ACCESSION_NUMBER', tier: 'note', message: 'The accession number is missing or empty.' },
    ]),
  );
  const zip = buildZip(images.map((content, i) => ({ path: `I${i}`, content })));
  await open(janePage, [zip], 'delivered');
  await janePage
    .getByText(/IM0\.dcm/)
    .first()
    .waitFor();
  expect(await janePage.getByText(/accession number/i).count()).toBe(0);
});

it('is shown to an administrator with whose it is', async () => {
  await open(adminPage, makeImages({}), 'delivered', { patientName: 'Whose, Wilma' });
  await adminPage.getByText(`Sent by ${jane.username}, Hill Clinic`).waitFor();
  await adminPage.goto(`${stack.baseUrl}/uploads`);
  const row = (page: Page) => page.getByRole('listitem').filter({ hasText: 'Whose, Wilma' });
  await row(adminPage).getByText(`from ${jane.username}`).waitFor();
  await janePage.goto(`${stack.baseUrl}/uploads`);
  await row(janePage).waitFor();
  expect(await row(janePage).getByText(/from /).count()).toBe(0);
});

describe('an upload that failed', () => {
  it('says once what is wrong with it', async () => {
    await open(janePage, makeImages(REFUSED), 'failed');
    const reason = /refuses images without a patient ID/;
    await janePage.getByText(reason).first().waitFor();
    expect(await janePage.getByText(reason).count()).toBe(1);
    // Where it went stays told at the study.
    await janePage.getByText('not delivered, 0 of 1 confirmed, 1 not taken').waitFor();
  });

  it('is closed by its sender after a question that says what is lost and what stays', async () => {
    const page = janePage;
    await open(page, makeImages({}, {}, REFUSED), 'failed');
    await page.getByRole('button', { name: 'Close upload' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(/Its 3 files are removed from RelayPACS.*cannot be undone/).waitFor();
    await dialog.getByText(/2 of 3 images are in the PACS and stay there; the other one is lost/).waitFor();
    await expectUsable(page);
    await dialog.getByRole('button', { name: 'Keep it' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Close upload' }).click();
    await dialog.getByRole('button', { name: 'Close upload' }).click();
    await page.getByRole('heading', { name: 'Closed, not delivered' }).waitFor();
    await page.getByText(/2 of 3 images are in Hill PACS and stay there/).waitFor();
    await page.getByText('Closed without being delivered').waitFor();
    for (const name of ['Close upload', 'Retry', /Save and send/]) {
      expect(await page.getByRole('button', { name }).count()).toBe(0);
    }
    await expectUsable(page);
  });

  it('is closed by an administrator, which its sender can read', async () => {
    const id = await open(adminPage, makeImages(REFUSED), 'failed');
    await adminPage.getByRole('button', { name: 'Close upload' }).click();
    await adminPage.getByRole('dialog').getByRole('button', { name: 'Close upload' }).click();
    await adminPage.getByRole('heading', { name: 'Closed, not delivered' }).waitFor();
    await janePage.goto(`${stack.baseUrl}/uploads/${id}`);
    await janePage.getByText('Closed without being delivered, by an administrator').waitFor();
  });
});
