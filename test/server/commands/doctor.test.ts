import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { doctorCommand } from '../../../src/server/commands/doctor.ts'
import { recordingReporter, temporaryFolder } from '../download/fetch-parts.ts'

it('checks everything with a real model, and finds no problem', async () => {
  const folder = await temporaryFolder()
  await cp('test/fixtures/families/llama', join(folder, 'llama'), { recursive: true })
  const emitted = await run(['--model', join(folder, 'llama'), '--models-folder', folder, '--port', '0'])
  expect(emitted.error).toBeNull()
  for (const name of ['Node', 'ONNX Runtime', 'processor', 'port', 'Redis', 'model', 'graph', 'memory', 'cache', 'loading', 'prefix cache'])
    expect(emitted.text).toMatch(new RegExp(`^(ok|info) +${name} `, 'm'))
  expect(emitted.text).not.toContain('PROBLEM')
})

it('suggests a fix, and exits with 1', async () => {
  const emitted = await run(['--models-folder', await temporaryFolder(), '--port', '0'])
  expect(emitted.error).toMatchObject({ exitCode: 1, message: 'found 1 problem' })
  expect(emitted.text).toMatch(/^PROBLEM +model .* is not downloaded .*\n +-> npx everstream models pull smollm2-135m-instruct$/m)
})

it('refuses an unknown option with exit code 2', async () => {
  expect((await run(['--prot', '1'])).error).toMatchObject({ exitCode: 2, message: 'unknown option --prot: did you mean --port?' })
})

async function run(argv: readonly string[]) {
  const reporter = recordingReporter()
  const error = await doctorCommand.run(argv, { environment: {}, reporter }).then(
    () => null,
    (reason: unknown) => reason
  )
  return { error, text: reporter.lines.join('\n') }
}
