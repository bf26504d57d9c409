import { DOCTOR_OPTIONS, readDoctorConfig } from '../config/doctor-config.ts'
import { ExitError } from '../config/exit-error.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/finding.ts'
import type { Command } from './command.ts'

const MARKS = { ok: 'ok     ', info: 'info   ', problem: 'PROBLEM' } as const satisfies Record<Finding['state'], string>
const NAME_WIDTH = 13

/** Looks before `serve` does. */
export const doctorCommand: Command = {
  name: 'doctor',
  usage: '[options]',
  summary: 'Say what is missing on this machine, and what to type.',
  details: [
    'Looks at the runtime, the processor, the port, Redis (with --redis-url), the model, the memory, and whether equal',
    'work gives equal numbers here. Takes some seconds: it reads and loads the model. Give it the options that you give serve.',
    'A note is good to know; a problem makes the exit code 1.'
  ],
  options: DOCTOR_OPTIONS,

  async run(argv, { environment, reporter }) {
    let problems = 0
    for await (const { name, state, text, todo } of examine(readDoctorConfig(argv, environment))) {
      if (state === 'problem') problems++
      reporter.line(`${MARKS[state]}  ${name.padEnd(NAME_WIDTH)} ${text}`)
      if (todo !== null) reporter.line(`${''.padEnd(MARKS[state].length + NAME_WIDTH + 3)}-> ${todo}`)
    }
    if (problems > 0) throw new ExitError(1, problems === 1 ? 'there is a problem' : `there are ${problems} problems`)
    reporter.line('All is well: npm start')
  }
}
