import { platform } from 'node:process'
import koffi from 'koffi'
import { ServiceError } from '../../contract/errors.ts'
import { invariant } from '../../contract/invariant.ts'
import { loadLibrary } from '../native/native-library.ts'
import type { Address, PagedMemory } from './paged-memory.ts'

const PROT_READ_WRITE = 0x3
const MAP_SHARED = 0x01
const MAP_PRIVATE = 0x02
const MAP_FIXED = 0x10
const MAP_FAILED = -1n
/**
 * <sys/mman.h>: MAP_ANONYMOUS, MAP_NORESERVE; MADV_DONTNEED on Linux, MADV_FREE on macOS (which reclaims the memory
 * only under memory pressure).
 */
const { anonymous, noReserve, giveBack } =
  platform === 'darwin' ? { anonymous: 0x1000, noReserve: 0x40, giveBack: 5 } : { anonymous: 0x20, noReserve: 0x4000, giveBack: 4 }
const MADV_NOHUGEPAGE = 15
/** Linux: frees the pages of a shared file; MADV_DONTNEED would only unmap them. */
const MADV_REMOVE = 9

/** Anonymous private mappings (Linux, macOS), which can be replaced by mappings of a file. */
export class PosixMemory implements PagedMemory {
  readonly pageBytes: number
  readonly #map
  readonly #unmap
  readonly #advise
  readonly #copy
  readonly #read
  /** Ranges that are mapped to a file. */
  readonly #shared = new Map<Address, number>()

  constructor() {
    const library = loadLibrary(null)
    this.pageBytes = library.func('getpagesize', 'int', [])()
    this.#map = library.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t'])
    this.#unmap = library.func('munmap', 'int', ['intptr_t', 'size_t'])
    this.#advise = library.func('madvise', 'int', ['intptr_t', 'size_t', 'int'])
    this.#read = library.func('pread', 'intptr_t', ['int', 'intptr_t', 'size_t', 'int64_t'])
    this.#copy = library.func('memcpy', 'intptr_t', ['intptr_t', 'intptr_t', 'size_t'])
  }

  reserve(bytes: number): Address {
    const address = BigInt(this.#map(0, bytes, PROT_READ_WRITE, MAP_PRIVATE | anonymous | noReserve, -1, 0))
    if (address === MAP_FAILED) throw new ServiceError('engine_failure', `the system refused to reserve ${bytes} bytes of addresses`)
    this.#disableHugePages(address, bytes)
    return address
  }

  share(address: Address, bytes: number, descriptor: number): boolean {
    // First at another address: a MAP_FIXED that fails may leave the range unmapped.
    const trial = BigInt(this.#map(0, bytes, PROT_READ_WRITE, MAP_SHARED | noReserve, descriptor, 0))
    if (trial === MAP_FAILED) return false
    this.free(trial, bytes)
    const mapped = BigInt(this.#map(address, bytes, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED | noReserve, descriptor, 0))
    invariant(mapped === address, 'a file that could be mapped once cannot be mapped again')
    this.#disableHugePages(address, bytes)
    this.#shared.set(address, bytes)
    return true
  }

  free(address: Address, bytes: number): void {
    invariant(this.#unmap(address, bytes) === 0, 'freed memory was not reserved')
    this.#shared.delete(address)
  }

  giveBack(address: Address, bytes: number): void {
    invariant(
      this.#advise(address, bytes, this.#isShared(address) ? MADV_REMOVE : giveBack) === 0,
      'a range given back is not whole reserved pages'
    )
  }

  read(descriptor: number, offset: number, address: Address, bytes: number): boolean {
    return Number(this.#read(descriptor, address, bytes, offset)) === bytes
  }

  copy(from: Address, to: Address, bytes: number): void {
    this.#copy(to, from, bytes)
  }

  view(address: Address, bytes: number): ArrayBuffer {
    return koffi.view(address, bytes)
  }

  #isShared(address: Address): boolean {
    return this.#shared.entries().some(([start, bytes]) => address >= start && address < start + BigInt(bytes))
  }

  /**
   * Where huge pages are the system's default, one token of each head would take megabytes. The error of a kernel
   * without huge pages is ignored.
   */
  #disableHugePages(address: Address, bytes: number): void {
    if (platform === 'linux') this.#advise(address, bytes, MADV_NOHUGEPAGE)
  }
}
