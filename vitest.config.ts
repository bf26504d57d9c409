import { defineConfig } from 'vitest/config'
import { ClosingLine } from './test/architecture/closing-line.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Native code and child processes: a crash ends one file's process, not the run.
    pool: 'forks',
    globalSetup: './test/processes/temporary-folder.ts',
    maxWorkers: 2,
    sequence: { shuffle: true },
    // For the tests that load onnxruntime-node themselves; the program sets it by itself.
    env: { ORT_DISABLE_TELEMETRY: '1' },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: ['default', new ClosingLine()]
  }
})
