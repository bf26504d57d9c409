import koffi from 'koffi'
import { ServiceError } from '../../contract/errors.ts'
import { invariant } from '../../contract/invariant.ts'
import { loadLibrary } from '../native/native-library.ts'
import type { Address, PagedMemory } from './paged-memory.ts'

/** <winnt.h> */
const MEM_COMMIT_RESERVE = 0x3000
const MEM_RELEASE = 0x8000
const PAGE_READWRITE = 0x04

/** Committed memory (Windows): pages are allocated on first use, but all count against the system's commit limit. */
export class WindowsMemory implements PagedMemory {
  readonly pageBytes = 4096
  readonly #allocate
  readonly #free
  readonly #discard
  readonly #move

  constructor() {
    const library = loadLibrary('kernel32.dll')
    this.#allocate = library.func('VirtualAlloc', 'intptr_t', ['intptr_t', 'size_t', 'uint32_t', 'uint32_t'])
    this.#free = library.func('VirtualFree', 'int', ['intptr_t', 'size_t', 'uint32_t'])
    this.#discard = library.func('DiscardVirtualMemory', 'uint32_t', ['intptr_t', 'size_t'])
    this.#move = library.func('RtlMoveMemory', 'void', ['intptr_t', 'intptr_t', 'size_t'])
  }

  reserve(bytes: number): Address {
    const address = BigInt(this.#allocate(0, bytes, MEM_COMMIT_RESERVE, PAGE_READWRITE))
    if (address === 0n) throw new ServiceError('engine_failure', `the system refused to reserve ${bytes} bytes of memory`)
    return address
  }

  free(address: Address, _bytes: number): void {
    invariant(this.#free(address, 0, MEM_RELEASE) !== 0, 'freed memory was not reserved')
  }

  giveBack(address: Address, bytes: number): void {
    invariant(this.#discard(address, bytes) === 0, 'a range given back is not whole reserved pages')
  }

  share(): boolean {
    return false
  }

  read(): boolean {
    return false
  }

  copy(from: Address, to: Address, bytes: number): void {
    this.#move(to, from, bytes)
  }

  view(address: Address, bytes: number): ArrayBuffer {
    return koffi.view(address, bytes)
  }
}
