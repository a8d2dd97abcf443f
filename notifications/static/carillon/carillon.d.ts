import type { CarillonClient, CarillonError, Item, Options, Preferences, State, Token } from "./client.js";
export * from "./client.js";

/** Texts by key: those of `TEXTS` in carillon.js, the codes of categories, the names of channels. */
export type Texts = Record<string, string>;

/** What elements use that say nothing else themselves. `texts` by locale, as `fr` or `pt-BR`. */
export function configure(options: Options & { texts?: Record<string, Texts> }): void;

declare class CarillonElement extends HTMLElement {
  /** The client in use; one of your own may be set. */
  client: CarillonClient | undefined;
  set getToken(getToken: () => Token | Promise<Token>);
  /** Own texts, whatever the language. */
  set texts(texts: Texts);
}

export class CarillonFeed extends CarillonElement {}

export class CarillonBell extends CarillonElement {
  open(): void;
  close(): void;
}

export class CarillonPreferences extends CarillonElement {}

declare global {
  interface HTMLElementTagNameMap {
    "carillon-bell": CarillonBell;
    "carillon-feed": CarillonFeed;
    "carillon-preferences": CarillonPreferences;
  }
  interface HTMLElementEventMap {
    "carillon-new": CustomEvent<Item>;
    /** Before an action is followed; prevent it to route by yourself. */
    "carillon-click": CustomEvent<Item>;
    "carillon-count": CustomEvent<number>;
    "carillon-state": CustomEvent<State>;
    "carillon-open": CustomEvent<undefined>;
    "carillon-close": CustomEvent<undefined>;
    "carillon-saved": CustomEvent<Preferences>;
    "carillon-error": CustomEvent<CarillonError>;
  }
}
