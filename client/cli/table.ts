/** Text tables and shortened ids for screens. JSON always carries the full values. */

/** `0x3f5c…9a1b`: enough to tell two apart on a screen, never enough to act on. */
export const shortId = (id: string): string => (id.length <= 14 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`);

export interface Column<Row> {
  title: string;
  cell: (row: Row) => string;
  /** Numbers read better at the right edge. */
  right?: boolean;
}

/** Lines of an aligned table with a head, two spaces between the columns. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, at) =>
    Math.max(column.title.length, ...cells.map((line) => (line[at] ?? '').length)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, at) => {
        const width = widths[at] ?? 0;
        return columns[at]?.right === true ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...cells.map(line)];
}

/** Lines of `label  value` with the values aligned. */
export function facts(entries: readonly (readonly [label: string, value: string])[]): string[] {
  const width = Math.max(...entries.map(([label]) => label.length));
  return entries.map(([label, value]) => `${label.padEnd(width)}  ${value}`);
}
