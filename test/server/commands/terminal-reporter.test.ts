import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { TerminalReporter } from '../../../src/server/commands/terminal-reporter.ts'

it('prints a line for each tenth if the output is not a terminal, whatever the steps, with rate and time left', () => {
  const { reporter, text, pass } = aReporter()
  const progress = reporter.progress(100e6, 0)
  for (let done = 0; done < 100e6; done += 250_000) {
    progress.update(done)
    pass(50)
  }
  progress.update(100e6)
  progress.end()
  const pace = (tenth: number) => (tenth === 10 ? '5.0 MB/s' : `5.0 MB/s, ${20 - 2 * tenth} s left`)
  expect(text()).toBe(Array.from({ length: 10 }, (_, index) => `  ${index * 10 + 10} % of 100.0 MB, ${pace(index + 1)}\n`).join(''))
})

it('prints at most one line a second, and always the last', () => {
  const { reporter, text, pass } = aReporter()
  const progress = reporter.progress(100e6, 0)
  for (let done = 0; done <= 100e6; done += 1_000_000) {
    progress.update(done)
    pass(15)
  }
  expect(text().match(/\d+ %/g)).toEqual(['60 %', '100 %'])
})

it('starts where a resumed download starts, and prints no line twice', () => {
  const { reporter, text, pass } = aReporter()
  const progress = reporter.progress(100e6, 45e6)
  for (const done of [46e6, 49e6, 50e6, 50e6, 100e6]) {
    pass(2000)
    progress.update(done)
  }
  expect(text()).toBe('  50 % of 100.0 MB, 0.8 MB/s, 60 s left\n  100 % of 100.0 MB, 5.5 MB/s\n')
})

it('draws a bar on a terminal', () => {
  const { reporter, text, pass } = aReporter({ isTTY: true })
  const progress = reporter.progress(100e6, 0)
  pass(2000)
  progress.update(25e6)
  pass(98_000)
  progress.update(100e6)
  progress.end()
  expect(text()).toContain('100 %')
  expect(text()).toContain('100.0 MB of 100.0 MB, 1.0 MB/s')
  expect(text()).not.toContain('\x1b[?25l') // a killed process would leave the cursor hidden
})

it('marks problems', () => {
  const { reporter, text } = aReporter()
  reporter.line('good')
  reporter.problem('bad')
  expect(text()).toBe('good\n! bad\n')
})

/** @returns `pass` moves the reporter's clock */
function aReporter(terminal: object = {}): { readonly reporter: TerminalReporter; text(): string; pass(ms: number): void } {
  let nowMs = 0
  const chunks: string[] = []
  const out = new PassThrough({ encoding: 'utf8' })
  out.on('data', (chunk: string) => chunks.push(chunk))
  // The methods of a terminal that cli-progress calls.
  Object.assign(
    out,
    { columns: 100, cursorTo: () => true, moveCursor: () => true, clearLine: () => true, clearScreenDown: () => true },
    terminal
  )
  return {
    reporter: new TerminalReporter(out, () => nowMs),
    text: () => chunks.join(''),
    pass: ms => {
      nowMs += ms
    }
  }
}
