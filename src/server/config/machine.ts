import { availableParallelism, totalmem } from 'node:os'

/** What this process may use of the machine, limits of containers included. */
export interface Machine {
  readonly cores: number
  readonly memoryBytes: number
}

export function thisMachine(): Machine {
  const limitBytes = process.constrainedMemory() // 0 or 2^64: none
  return {
    cores: availableParallelism(),
    memoryBytes: limitBytes > 0 ? Math.min(limitBytes, totalmem()) : totalmem()
  }
}
