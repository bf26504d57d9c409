import type { Environment } from './environment.ts'

/**
 * Packed weights are read from end to end in each step, on pages of 2 MiB a fifth faster than on small ones. glibc asks
 * for large pages only for its main heap and for pieces larger than one: so all go there. Other C libraries read none
 * of this. Source: glibc manual, "Memory Allocation Tunables".
 */
const LARGE_PAGES = 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.arena_max=1'

/** The environment of a process that will load a model; what an operator has set himself stands. */
export function modelProcessEnvironment(own: Environment): Environment {
  return { GLIBC_TUNABLES: LARGE_PAGES, ...own }
}
