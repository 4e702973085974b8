/** Text for a terminal: nothing that JIM says may move its cursor, colour it or forge a line. */
import stringWidth from 'string-width';

/** Where a command writes. */
export interface Terminal {
  print(line: string): void;
  /** Overwrites the last redrawn line; null where the output is no terminal. */
  readonly redraw: ((line: string) => void) | null;
}

/** What is needed of `process.stdout`. */
interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const TO_LINE_START = '\r\u001B[K';
/** Of a terminal that does not say. */
const DEFAULT_COLUMNS = 80;

export function createTerminal(out: Output): Terminal {
  let isDrawn = false;
  return {
    print: (line) => {
      out.write(`${isDrawn ? TO_LINE_START : ''}${line}\n`);
      isDrawn = false;
    },
    redraw:
      out.isTTY === true
        ? (line) => {
            // A line that wraps could not be overwritten. Some terminals say 0.
            const { columns = 0 } = out;
            const width = columns > 0 ? columns : DEFAULT_COLUMNS;
            out.write(`${TO_LINE_START}${line.slice(0, width - 1)}`);
            isDrawn = true;
          }
        : null,
  };
}

/** Control characters (escape sequences begin with one), and those that reorder or hide text. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

export function plain(text: string): string {
  return text.replaceAll(UNSAFE, ' ');
}

/** JSON that says the same and is safe to look at: JSON.stringify leaves C1 controls and formatting characters as they are. */
export function plainJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll(UNSAFE, (character) =>
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, index) => {
          const unit = character.charCodeAt(index).toString(16).padStart(4, '0');
          return `\\u${unit}`;
        }).join(''),
  );
}

/** Rows in columns, by the width that a terminal gives each character. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const cells = rows.map((row) => row.map(plain));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => stringWidth(row[column] ?? ''))),
  );
  return cells.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
}

export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}
