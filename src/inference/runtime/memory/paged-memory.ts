/** An address in this process. */
export type Address = bigint

/**
 * Memory outside V8's heap: it never moves, and a page takes no memory until it is written.
 * All buffers that ONNX Runtime reads or writes are in such memory.
 */
export interface PagedMemory {
  readonly pageBytes: number
  /**
   * Reserves zeroed memory that starts at a page boundary.
   *
   * @throws {ServiceError} `engine_failure` when the system refuses so large a range
   */
  reserve(bytes: number): Address
  /** Frees a whole reserved range. */
  free(address: Address, bytes: number): void
  /** Returns whole pages to the system; their content is undefined until they are written again. */
  giveBack(address: Address, bytes: number): void
  /**
   * Maps a reserved range to an in-memory file (`createCacheFile`) that is at least as long: the addresses stay the
   * same, the content becomes the file's.
   *
   * @returns false where the system does not support it: the range is then unchanged
   */
  share(address: Address, bytes: number, descriptor: number): boolean
  /**
   * Fills a range from a file, which other processes may write or truncate at any time.
   *
   * @param offset  in the file, in bytes
   * @returns false where fewer bytes can be read: the range's content is then undefined
   */
  read(descriptor: number, offset: number, address: Address, bytes: number): boolean
  /** The ranges do not overlap. */
  copy(from: Address, to: Address, bytes: number): void
  /**
   * A JavaScript view of native memory. Detach it (`transfer`) before the memory is freed: a later read would crash
   * the process.
   */
  view(address: Address, bytes: number): ArrayBuffer
}
