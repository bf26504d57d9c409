import { defineConfig } from 'vitest/config'
import { ClosingLine } from './test/architecture/closing-line.ts'

/** Tests that start no process, load no native code and measure no memory. */
const PURE = [
  'test/inference/{cache,contract,graph,sampling,scheduler,simulated,stop,weights}/**/*.test.ts',
  'test/queue/*.test.ts',
  'test/queue/{embedded,log,worker}/**/*.test.ts',
  'test/queue/redis/{redis-url,watchdog}.test.ts',
  'test/routes/**/*.test.ts',
  'test/server/{config,observe,openapi}/**/*.test.ts'
]

export default defineConfig({
  test: {
    // A crash of native code ends one process of the tests, not the run.
    pool: 'forks',
    globalSetup: './test/processes/temporary-folder.ts',
    // One more than two cores: many tests wait for timers of the program.
    maxWorkers: 3,
    sequence: { shuffle: true },
    // For the tests that load onnxruntime-node themselves; the program sets it by itself.
    env: { ORT_DISABLE_TELEMETRY: '1' },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: ['default', new ClosingLine()],
    projects: [
      // In few processes, which load each module once: loading took more time than these tests.
      { extends: true, test: { name: 'pure', include: PURE, isolate: false } },
      { extends: true, test: { name: 'isolated', include: ['test/**/*.test.ts'], exclude: PURE } }
    ]
  }
})
