import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { CONFIG_VARIABLES } from '@relaypacs/core/config-variables.js';
import { isMainModule } from './main-module.js';
import { projectRoot } from './project-root.js';

export const CONFIGURATION_DOC = path.join(projectRoot, 'docs', 'configuration.md');

/** The text of `docs/configuration.md`, from the table the configuration itself is read by. */
export function configurationDoc(): string {
  const rows = Object.entries(CONFIG_VARIABLES).map(
    ([name, { default: fallback, meaning, secret }]) =>
      `| \`${name}\`${secret ? ' \\*' : ''} | ${fallback === '' ? '–' : fallback} | ${meaning} |`,
  );
  return `# Configuration

Everything is set by environment variables. A value that cannot be used stops the start with a sentence that names the
variable. This page is made by \`npm run document-configuration\`; a test keeps it true.

Variables marked \\* are secrets: they can also be read from the file that \`NAME_FILE\` names, and are never printed.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}
`;
}

if (isMainModule(import.meta.url)) writeFileSync(CONFIGURATION_DOC, configurationDoc());
