#!/usr/bin/env node
import { compileProgram, runProgram } from './compiled-program.ts';

runProgram(compileProgram());
