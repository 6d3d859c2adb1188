/** A number that stays one with a fraction, even if that is 0. */
export class Fraction {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}
