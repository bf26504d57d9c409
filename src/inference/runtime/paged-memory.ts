/** An address in this process. */
export type Address = bigint

/**
 * Memory outside V8's heap: it never moves, and a page costs nothing until it is written.
 * Whatever ONNX Runtime is given lies in such memory.
 */
export interface PagedMemory {
  readonly pageBytes: number
  /**
   * Zeroed memory that starts at a page.
   *
   * @throws {ServiceError} `engine_failure` when the system refuses so large a range
   */
  reserve(bytes: number): Address
  /** All of a reserved range. */
  free(address: Address, bytes: number): void
  /** Whole pages go back to the system; what is read there until they are written again is undefined. */
  giveBack(address: Address, bytes: number): void
  /**
   * A reserved range becomes a window on a file in memory (`createCacheFile`) that is at least as long: same addresses,
   * the file's content.
   *
   * @returns false where the system cannot: the range is then what it was
   */
  share(address: Address, bytes: number, descriptor: number): boolean
  /**
   * Fills a range from a file, which others may write or empty at any time.
   *
   * @param offset  in the file, in bytes
   * @returns false where so much cannot be read: what is in the range then is undefined
   */
  read(descriptor: number, offset: number, address: Address, bytes: number): boolean
  /** The ranges do not overlap. */
  copy(from: Address, to: Address, bytes: number): void
  /**
   * JavaScript's window on native memory. Detach it (`transfer`) before the memory is freed: a later read would end the
   * process.
   */
  view(address: Address, bytes: number): ArrayBuffer
}
