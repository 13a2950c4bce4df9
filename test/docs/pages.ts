// The pages of the documentation as data: code blocks with their marks, headings, links, and names in backticks.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /** What stands behind the language: who checks the block, and how. */
  readonly marks: readonly string[];
  readonly text: string;
}

export interface Page {
  readonly path: string;
  readonly generated: boolean;
  readonly blocks: readonly Block[];
  /** As a renderer makes them from the headings. */
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly Place[];
  /** What stands in backticks outside of blocks. */
  readonly names: readonly Place[];
}

export interface Place {
  readonly line: number;
  readonly text: string;
}

const folders = ['docs', 'examples', 'gitops', 'charts'];

function markdownFiles(): readonly string[] {
  const below = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return [...readdirSync(root), ...below].filter((name) => name.endsWith('.md')).toSorted();
}

export const pages: readonly Page[] = markdownFiles().map((path) =>
  pageOf(path, readFileSync(join(root, path), 'utf8')),
);

export const blocks: readonly Block[] = pages.flatMap((page) => page.blocks);

/** `docs/quick-start.md:12`, for people to jump to. */
export const placeOf = ({ page, line }: Block) => `${page}:${line}`;

export const blocksIn = (language: string, ...marks: readonly string[]) =>
  blocks.filter((block) => block.language === language && marks.every((mark) => block.marks.includes(mark)));

/** The value of a mark `name=value`. */
export const markOf = ({ marks }: Block, name: string) =>
  marks.find((mark) => mark.startsWith(`${name}=`))?.slice(name.length + 1);

export function pageOf(path: string, text: string): Page {
  const found: Block[] = [];
  const prose: Place[] = [];
  let open:
    | { readonly fence: string; readonly info: string; readonly line: number; lines: string[] }
    | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^ {0,3}(`{3,})(.*)$/.exec(line);
    if (open === undefined && fence !== null) {
      open = { fence: fence[1] ?? '', info: fence[2] ?? '', line: index + 1, lines: [] };
    } else if (open !== undefined && line.trimEnd() === open.fence) {
      const [language = '', ...marks] = open.info.trim().split(/\s+/);
      found.push({ page: path, line: open.line, language, marks, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    } else if (open !== undefined) {
      open.lines.push(line);
    } else {
      prose.push({ line: index + 1, text: line });
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: the block is never closed`);
  return {
    path,
    generated: text.startsWith('<!-- Generated'),
    blocks: found,
    anchors: anchorsOf(prose),
    links: matches(prose, /\]\(([^)\s]+)\)/g),
    names: matches(prose, /(?<!`)`([^`]+)`(?!`)/g),
  };
}

function matches(prose: readonly Place[], pattern: RegExp): readonly Place[] {
  return prose.flatMap(({ line, text }) =>
    [...text.matchAll(pattern)].map(([, one = '']) => ({ line, text: one })),
  );
}

function anchorsOf(prose: readonly Place[]): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of prose.flatMap(({ text }) => [...text.matchAll(/^#{1,6} (.*)$/g)])) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** From the root of the project. */
export const projectPath = (path: string) => relative(root, path).replaceAll('\\', '/');
