import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** Ends a run with the skipped tests and their reasons, and one line for scripts: `12 passed, 0 failed, 1 skipped`. */
export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap(module => [...module.children.allTests()])
    const brokenFiles = modules.filter(module => module.errors().length > 0).length
    const skipped = tests.filter(test => test.result().state === 'skipped')
    const failed = tests.filter(test => test.result().state === 'failed').length + brokenFiles
    const passed = tests.filter(test => test.result().state === 'passed').length

    for (const test of skipped) console.log(`skipped: ${test.fullName} (${reason(test)})`)
    console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`)
  }
}

function reason(test: TestCase): string {
  const result = test.result()
  return (result.state === 'skipped' && result.note) || 'no reason given'
}
