/** A change of one source file, made while bundling an exploration. */
export interface Edit {
  file: string;
  /** Must occur exactly once. */
  find: string;
  replace: string;
}
