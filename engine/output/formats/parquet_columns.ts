/**
 * Columns of a row group in the format `parquet`. Rows are encoded and
 * compressed as they come, a page of each column at a time, so that a group of a
 * million rows takes no more memory than what it takes in the file.
 *
 * @module
 */
import { zstdCompressSync } from "node:zlib";
import { ByteWriter, type ParquetWriter } from "hyparquet-writer";
import { writeDataPageV2 } from "hyparquet-writer/src/datapage.js";
import { writeDictionaryPage } from "hyparquet-writer/src/dictionary.js";

/** Rows of a page. */
const PAGE_ROWS = 8192;
/** Different values of a group that are numbered; pages after that are plain. */
const MOST_NUMBERED = 1 << 16;

/** A value; text, or a number of 32 or 64 bits. */
export type Cell = string | number | bigint | null;

/** What a column has. */
export interface ColumnType {
  readonly name: string;
  readonly type: "text" | "int" | "long";
  /** Whether few values occur again and again: they are numbered. */
  readonly numbered?: true;
}

/** What an element of the schema has besides its name. */
const TYPES = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  int: { type: "INT32" },
  long: { type: "INT64" },
} as const;

/** The compression of all pages. */
export const ZSTD = {
  codec: "ZSTD",
  compressors: { ZSTD: (bytes: Uint8Array) => zstdCompressSync(bytes) },
} as const;

/** A column as an element of the schema. */
export function schemaElement({ name, type }: ColumnType) {
  return { name, repetition_type: "OPTIONAL" as const, ...TYPES[type] };
}

type Encoding = "PLAIN" | "RLE_DICTIONARY";

/** An encoded page. */
interface Page {
  readonly bytes: Uint8Array;
  readonly encoding: Encoding;
  readonly rows: number;
}

/** One column of the group that is being written. */
export class GroupColumn {
  readonly #column: ColumnType;
  readonly #encoder: Parameters<typeof writeDataPageV2>[0]["column"];
  readonly #writer = new ByteWriter(1 << 16);
  #cells: Cell[] = [];
  #pages: Page[] = [];
  #numbers = new Map<Cell, number>();
  #rows = 0;
  #nulls = 0;
  #least: Cell = null;
  #greatest: Cell = null;
  #unpacked = 0;

  constructor(column: ColumnType, root: string) {
    this.#column = column;
    const element = schemaElement(column);
    this.#encoder = {
      columnName: column.name,
      element,
      schemaPath: [{ name: root, num_children: 1 }, element],
      ...ZSTD,
      stats: true,
      pageSize: 0,
      columnIndex: false,
      offsetIndex: true,
    };
  }

  /** Adds the value of the next row. */
  push(cell: Cell): void {
    // Halves of pairs stand for bytes, and are written as U+FFFD.
    this.#cells.push(typeof cell === "string" ? cell.toWellFormed() : cell);
    if (this.#cells.length === PAGE_ROWS) this.#endPage();
  }

  /** Writes the column of the group, and begins the next group. */
  write(file: ParquetWriter): ParquetWriter["pendingIndexes"][number] {
    this.#endPage();
    const written = this.#chunk(file);
    this.#pages = [];
    this.#numbers = new Map();
    this.#rows = this.#nulls = this.#unpacked = 0;
    this.#least = this.#greatest = null;
    return written;
  }

  #endPage(): void {
    const cells = this.#cells;
    if (cells.length === 0) return;
    this.#cells = [];
    const levels: number[] = [];
    let nulls = 0;
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i];
      levels.push(cell === null ? 0 : 1);
      if (cell === null) nulls++;
      else if (this.#column.numbered !== true) this.#bounds(cell);
    }
    const numbered = this.#column.numbered === true && nulls < cells.length
      ? this.#numbered(cells)
      : undefined;
    const encoding = numbered === undefined ? "PLAIN" : "RLE_DICTIONARY";
    this.#unpacked += writeDataPageV2({
      writer: this.#writer,
      column: this.#encoder,
      encoding,
      pageData: {
        values: numbered ?? cells,
        definitionLevels: levels,
        repetitionLevels: [],
        maxDefinitionLevel: 1,
      },
    });
    this.#pages.push({
      bytes: this.#writer.getBytes().slice(),
      encoding,
      rows: cells.length,
    });
    this.#writer.index = 0;
    this.#rows += cells.length;
    this.#nulls += nulls;
  }

  /** The numbers of a page's values; undefined if there are too many. */
  #numbered(cells: readonly Cell[]): (number | null)[] | undefined {
    const numbers = this.#numbers;
    const found: (number | null)[] = [];
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i];
      let number = cell === null ? null : numbers.get(cell);
      if (number === undefined) {
        this.#bounds(cell);
        if (numbers.size >= MOST_NUMBERED) {
          for (let rest = i; rest < cells.length; rest++) {
            this.#bounds(cells[rest]);
          }
          return undefined;
        }
        number = numbers.size;
        numbers.set(cell, number);
      }
      found.push(number);
    }
    return found;
  }

  #bounds(cell: Cell): void {
    if (cell === null) return;
    if (this.#least === null || isBelow(cell, this.#least)) this.#least = cell;
    if (this.#greatest === null || isBelow(this.#greatest, cell)) {
      this.#greatest = cell;
    }
  }

  #chunk({ writer }: ParquetWriter): ParquetWriter["pendingIndexes"][number] {
    const { type } = TYPES[this.#column.type];
    const start = writer.offset;
    const dictionary = this.#numbers.size > 0;
    if (dictionary) {
      this.#unpacked += writeDictionaryPage(
        writer,
        this.#encoder,
        [...this.#numbers.keys()],
      );
    }
    const first = writer.offset;
    let row = 0;
    const places = this.#pages.map(({ bytes, rows }) => {
      const offset = BigInt(writer.offset);
      writer.appendBytes(bytes);
      const at = BigInt(row);
      row += rows;
      return {
        offset,
        compressed_page_size: bytes.length,
        first_row_index: at,
      };
    });
    const pagesOf = (encoding: Encoding) =>
      this.#pages.filter((page) => page.encoding === encoding).length;
    const stats = (["RLE_DICTIONARY", "PLAIN"] as const)
      .filter((encoding) => pagesOf(encoding) > 0)
      .map((encoding) => ({
        page_type: "DATA_PAGE_V2" as const,
        encoding,
        count: pagesOf(encoding),
      }));
    const encodings = new Set(stats.map(({ encoding }) => encoding));
    if (dictionary) encodings.add("PLAIN");
    return {
      chunk: {
        file_offset: BigInt(start),
        meta_data: {
          type,
          encodings: [...encodings],
          path_in_schema: [this.#column.name],
          codec: ZSTD.codec,
          num_values: BigInt(this.#rows),
          total_uncompressed_size: BigInt(this.#unpacked),
          total_compressed_size: BigInt(writer.offset - start),
          data_page_offset: BigInt(first),
          ...(dictionary ? { dictionary_page_offset: BigInt(start) } : {}),
          statistics: {
            ...(this.#least === null || this.#greatest === null
              ? {}
              : { min_value: this.#least, max_value: this.#greatest }),
            null_count: BigInt(this.#nulls),
          },
          encoding_stats: [
            ...(dictionary
              ? [{
                page_type: "DICTIONARY_PAGE" as const,
                encoding: "PLAIN" as const,
                count: 1,
              }]
              : []),
            ...stats,
          ],
        },
      },
      ...(places.length > 1 ? { offsetIndex: { page_locations: places } } : {}),
    };
  }
}

/** Whether a value comes before another of the same column. */
function isBelow(a: Cell, b: Cell): boolean {
  if (typeof a !== "string" || typeof b !== "string") return a! < b!;
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  if (at === a.length || at === b.length) return a.length < b.length;
  return place(a.charCodeAt(at)) < place(b.charCodeAt(at));
}

/** Text is in the order of its UTF-8: halves of pairs are behind U+FFFF. */
function place(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;
}
