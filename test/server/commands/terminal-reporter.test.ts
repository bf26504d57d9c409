import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { TerminalReporter } from '../../../src/server/commands/terminal-reporter.ts'

it('prints a line for each tenth if the output is not a terminal, whatever the steps', () => {
  const { reporter, text } = aReporter()
  const progress = reporter.progress(100e6, 0)
  for (let done = 0; done <= 100e6; done += 300_000) progress.update(done)
  progress.update(100e6)
  progress.end()
  expect(text()).toBe(Array.from({ length: 10 }, (_, tenth) => `  ${tenth * 10 + 10} % of 100.0 MB\n`).join(''))
})

it('starts where a resumed download starts, and prints no line twice', () => {
  const { reporter, text } = aReporter()
  const progress = reporter.progress(1000, 450)
  for (const done of [460, 499, 500, 501, 1000]) progress.update(done)
  expect(text()).toBe('  50 % of 0.0 MB\n  100 % of 0.0 MB\n')
})

it('draws a bar on a terminal', () => {
  const { reporter, text } = aReporter({ isTTY: true })
  const progress = reporter.progress(100e6, 0)
  progress.update(100e6)
  progress.end()
  expect(text()).toContain('100 %')
  expect(text()).toContain('100.0 MB of 100.0 MB')
  expect(text()).not.toContain('\x1b[?25l') // a killed process would leave the cursor hidden
})

it('marks problems', () => {
  const { reporter, text } = aReporter()
  reporter.line('good')
  reporter.problem('bad')
  expect(text()).toBe('good\n! bad\n')
})

function aReporter(terminal: object = {}): { readonly reporter: TerminalReporter; text(): string } {
  const chunks: string[] = []
  const out = new PassThrough({ encoding: 'utf8' })
  out.on('data', (chunk: string) => chunks.push(chunk))
  // The methods of a terminal that cli-progress calls.
  Object.assign(
    out,
    { columns: 100, cursorTo: () => true, moveCursor: () => true, clearLine: () => true, clearScreenDown: () => true },
    terminal
  )
  return { reporter: new TerminalReporter(out), text: () => chunks.join('') }
}
