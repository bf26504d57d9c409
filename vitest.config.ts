import { defineConfig } from 'vitest/config'
import { ClosingLine } from './test/house/closing-line.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Native code and child processes: a crash ends one file's process, not the run.
    pool: 'forks',
    maxWorkers: 2,
    sequence: { shuffle: true },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: ['default', new ClosingLine()]
  }
})
