import { createHash } from 'node:crypto';
import type { Study } from './archive.js';
import { displayText, STUDY_INSTANCE_UID, textOf } from './attributes.js';
import { tag } from './dicom-dictionary.js';
import type { Exchange } from './exchange.js';
import type { FaultReport } from './faults/fault-board.js';
import { dicomWebRoot } from './http-answers.js';
import { instanceCount, modalitiesOf } from './qido.js';

const STUDIES_PER_PAGE = 50;

const STYLE = `
:root { color-scheme: light dark; --ink: #16202a; --soft: #51606e; --paper: #f5f7f9; --card: #fff; --line: #d5dce3;
  --accent: #0b5fa5; --warn-ink: #5c3d00; --warn: #fff3d6; --warn-line: #e3b341; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf2; --soft: #a5b3c1; --paper: #11171d; --card: #1a232c;
  --line: #32404d; --accent: #7cc0ff; --warn-ink: #ffe2a3; --warn: #3a2d0c; --warn-line: #8a6914; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; line-height: 1.2; }
.soft, th { color: var(--soft); }
.warning { margin: 1rem 0; padding: .75rem 1rem; border: 1px solid var(--warn-line); border-radius: .5rem;
  background: var(--warn); color: var(--warn-ink); }
code { font-size: .9em; overflow-wrap: anywhere; }
.faults { margin: 1rem 0; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); overflow-wrap: anywhere; }
.faults h2 { margin: 0 0 .25rem; font-size: 1.1rem; }
.faults ul { margin: 0; padding-left: 1.25rem; }
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); }
caption { padding: .5rem 0; text-align: left; font-weight: 600; font-size: 1.1rem; }
th, td { padding: .6rem .75rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
thead th { font-size: .85rem; font-weight: 600; border-top: 0; white-space: nowrap; }
td small { display: block; color: var(--soft); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.date { white-space: nowrap; }
.empty { padding: 2.5rem 1rem; text-align: center; background: var(--card); border: 1px dashed var(--line);
  border-radius: .5rem; }
nav { display: flex; gap: .75rem; margin-top: 1rem; align-items: center; }
nav a { display: inline-flex; align-items: center; min-height: 44px; padding: 0 1rem; border: 1px solid var(--line);
  border-radius: .5rem; color: var(--accent); background: var(--card); }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 44rem) {
  table, tbody, tr, td { display: block; width: 100%; }
  table { border: 0; background: none; }
  caption { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { margin-bottom: .75rem; padding: .5rem 0; border: 1px solid var(--line); border-radius: .5rem;
    background: var(--card); }
  td, .number { display: flex; gap: .75rem; padding: .25rem .9rem; border: 0; text-align: left; white-space: normal; }
  td::before { content: attr(data-label); flex: 0 0 6.5rem; color: var(--soft); font-size: .9rem; }
}`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Markup that is safe to send: the page's own, with everything put into it escaped. */
class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Builds markup; whatever is put in that is not markup itself is escaped. */
function html(texts: TemplateStringsArray, ...values: (string | number | Markup | Markup[])[]): Markup {
  return new Markup(String.raw({ raw: texts }, ...values.map(safeText)));
}

function safeText(value: string | number | Markup | Markup[]): string {
  if (Array.isArray(value)) return value.map(({ text }) => text).join('');
  if (value instanceof Markup) return value.text;
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The page a person sees at `/`: the studies held, newest first. No scripts, nothing loaded from elsewhere. */
export function sendOverview(exchange: Exchange): void {
  const { archive, request, response } = exchange;
  const studies = [...archive.studies.values()].reverse();
  const pages = Math.max(1, Math.ceil(studies.length / STUDIES_PER_PAGE));
  const asked = Number(/[?&]page=(\d{1,6})(?:&|$)/.exec(request.url ?? '')?.[1] ?? 1);
  const page = Math.min(Math.max(1, asked), pages);
  const shown = studies.slice((page - 1) * STUDIES_PER_PAGE, page * STUDIES_PER_PAGE);
  const body = Buffer.from(`<!doctype html>\n${document(exchange, shown, studies.length, page, pages).text}`);
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': body.length,
    'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function document(exchange: Exchange, studies: Study[], total: number, page: number, pages: number): Markup {
  const { authName, board, personality } = exchange;
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>RelayPACS sandbox archive</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
<h1>RelayPACS sandbox archive</h1>
<p class="soft">A small DICOMweb archive for trying things out. Its DICOMweb address is <code>${dicomWebRoot(exchange)}</code></p>
<p class="soft">It behaves as <strong>${personality.name}</strong> does. Credentials: <strong>${authName}</strong>.</p>
<p class="warning" role="note"><strong>No place for real patients’ data.</strong> Everybody who reaches this page sees the studies:
it asks for no password, nothing is encrypted, nothing is backed up.</p>
${faultList(board.list().filter(({ over }) => !over))}
${total === 0 ? emptyNote() : studyTable(studies, total, page)}
${pages > 1 ? pageLinks(page, pages) : ''}
</main>
</body>
</html>
`;
}

function emptyNote(): Markup {
  return html`<p class="empty">No studies yet. Send one with RelayPACS and load this page again.</p>`;
}

/** Roles are spelt out because the small-screen layout, which is no table to look at, would take them away. */
function studyTable(studies: Study[], total: number, page: number): Markup {
  const first = (page - 1) * STUDIES_PER_PAGE + 1;
  const range = total > studies.length ? `, ${first} to ${first + studies.length - 1} shown` : '';
  return html`<table role="table">
<caption>${total} ${total === 1 ? 'study' : 'studies'}${range}</caption>
<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Patient</th><th role="columnheader" scope="col">Date</th><th role="columnheader" scope="col">Modality</th>
<th role="columnheader" scope="col">Description</th><th role="columnheader" scope="col" class="number">Series</th>
<th role="columnheader" scope="col" class="number">Instances</th><th role="columnheader" scope="col" class="number">Size</th></tr></thead>
<tbody role="rowgroup">
${studies.map(studyRow)}</tbody>
</table>`;
}

const [PATIENT_NAME, PATIENT_ID, STUDY_DATE, STUDY_DESCRIPTION] = [
  tag('PatientName'),
  tag('PatientID'),
  tag('StudyDate'),
  tag('StudyDescription'),
] as const;

/** What the archive has been told to do wrong. */
function faultList(faults: FaultReport[]): Markup {
  if (faults.length === 0) return html``;
  const items = faults.map(({ kind, on, fired, over: _, ...details }) => {
    const text = Object.entries(details).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
    return html`<li><strong>${kind}</strong> on ${[on, ...text].join(', ')} <span class="soft">so far ${fired}</span></li>
`;
  });
  return html`<section class="faults" aria-labelledby="faults"><h2 id="faults">Faults switched on</h2>
<ul>
${items}</ul></section>`;
}

function studyRow(study: Study): Markup {
  const text = (wanted: string) => textOf(study.attributes, wanted) ?? '';
  const bytes = [...study.series.values()]
    .flatMap(({ instances }) => [...instances.values()])
    .reduce((sum, { size }) => sum + size, 0);
  const name = text(PATIENT_NAME).replace(/\^+$/, '').replace('^', ', ').replaceAll('^', ' ');
  return html`<tr role="row">
<td role="cell" data-label="Patient"><span>${name || 'Unnamed'}<small>${text(PATIENT_ID) || 'no ID'}</small></span></td>
<td role="cell" data-label="Date" class="date">${dateText(text(STUDY_DATE)) || '–'}</td>
<td role="cell" data-label="Modality">${modalitiesOf(study).map(displayText).join(', ') || '–'}</td>
<td role="cell" data-label="Description"><span>${text(STUDY_DESCRIPTION) || '–'}<small>${text(STUDY_INSTANCE_UID)}</small></span></td>
<td role="cell" data-label="Series" class="number">${study.series.size}</td>
<td role="cell" data-label="Instances" class="number">${instanceCount(study)}</td>
<td role="cell" data-label="Size" class="number">${sizeText(bytes)}</td>
</tr>
`;
}

function dateText(date: string): string {
  return date.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3');
}

function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

function pageLinks(page: number, pages: number): Markup {
  const link = (to: number, label: string) =>
    to < 1 || to > pages ? '' : html`<a href="/?page=${to}">${label}</a>`;
  return html`<nav aria-label="Pages">${link(page - 1, 'Newer')}<span>Page ${page} of ${pages}</span>${link(page + 1, 'Older')}</nav>`;
}
