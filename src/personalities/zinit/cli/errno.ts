import type { HostError } from "../../../cli/host.ts";

const NUMBERS: Readonly<Record<string, number>> = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EACCES: 13,
  ENOTDIR: 20,
  EISDIR: 21,
  ELOOP: 40,
};

/** `No such file or directory (os error 2)` */
export function withNumber({ error, message }: HostError): string {
  const number = NUMBERS[error];
  return number === undefined ? message : `${message} (os error ${number})`;
}
