/** A notification in its recipient's feed, as in section 4 of the API. Times are RFC 3339. */
export interface Item {
  id: string;
  seq: number;
  type: "info" | "success" | "warning" | "error" | "system";
  category: string;
  title: string;
  body: string;
  action: { url: string; text: string } | null;
  icon: string;
  data: Record<string, unknown>;
  status: "sent" | "delivered";
  created_at: string;
  seen_at: string | null;
  read_at: string | null;
  clicked_at?: string | null;
  archived_at: string | null;
}

/** What is left out is not filtered by; archived items show only when asked for. */
export interface Filter {
  read?: boolean;
  archived?: boolean;
  category?: string;
  type?: Item["type"];
}

export interface Page {
  items: Item[];
  /** To be given to the next `list`; null at the end. */
  cursor: string | null;
}

export interface Stats {
  total: number;
  unread: number;
  read: number;
  archived: number;
  by_type: Record<string, number>;
  by_category: Record<string, number>;
}

export type Switches = Record<string, boolean>;
type Day = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";
interface Window {
  /** HH:MM by the recipient's clock. */
  start: string;
  end: string;
  days?: Day[] | null;
}

/** As `GET /api/v1/users/me/preferences` answers. */
export interface Preferences {
  channels: Switches;
  categories: Record<string, Switches>;
  templates: Record<string, Switches>;
  quiet_hours: (Partial<Window> & { enabled: boolean; timezone?: string; windows?: Window[] }) | null;
  do_not_disturb_until: string | null;
  frequency: Record<string, { max: number; per: "hour" | "day" | "week" | "month" }>;
}

/** RFC 7396: null takes away, what is left out stays. */
export type Patch<T> = { [K in keyof T]?: (T[K] extends object | null ? Patch<NonNullable<T[K]>> : T[K]) | null };

/** `refused`: there is no token, or none that counts; it is tried on, seldom. */
export type State = "idle" | "connecting" | "online" | "offline" | "refused";

export type Token = string | { token: string; expires_at?: string };

export interface Options {
  /** Answers `{"token", "expires_at"}` to a GET by the signed-in person: your server has it minted. */
  tokenUrl?: string;
  /** Instead of `tokenUrl`. Called anew before a token expires, and after one was refused. */
  getToken?: () => Token | Promise<Token>;
  /** Carillon's origin; that which this file came from, where it is left out. */
  server?: string;
}

export interface Events {
  state: State;
  /** The unread count, when it changes. */
  count: number;
  /** Each item once, also those that came while there was no connection. */
  new: Item;
  read: { id: string };
  unread: { id: string };
  seen: { id: string };
  archive: { id: string };
  unarchive: { id: string };
  delete: { id: string };
  /** All up to that `seq`; without it, all. */
  "read-all": { up_to?: number };
  /** What was loaded may be old: load it again. */
  resync: undefined;
  preferences: Preferences;
  /** Whatever the server says, as in section 7 of the API. */
  frame: { type: string; data?: unknown; seq?: number };
}

export class Emitter<E> {
  /** Returns what stops it. */
  on<K extends keyof E>(type: K, listener: (detail: E[K]) => void): () => void;
  off<K extends keyof E>(type: K, listener: (detail: E[K]) => void): void;
  emit<K extends keyof E>(type: K, detail?: E[K]): void;
}

/** The server refused a call. */
export class CarillonError extends Error {
  /** HTTP's; 0 where nobody answered. */
  status: number;
  /** That of the problem document (RFC 9457), as `rate_limited`. */
  code?: string;
  problem: Record<string, unknown>;
}

/**
 * One connection that comes back by itself. Changes show at once; one that the server refuses is taken back by a
 * `resync`, and the call raises CarillonError.
 */
export class CarillonClient extends Emitter<Events> {
  constructor(options: Options);
  readonly state: State;
  readonly transport: "websocket" | "stream" | null;
  /** Null until it is known. */
  readonly unread: number | null;
  /** Whose feed it is. */
  readonly recipient: string | null;

  connect(): this;
  disconnect(): void;
  /** Try again now; or see whether the connection still stands. */
  wake(): void;

  /** A page, newest first. Items that no client had acknowledged are so by this. */
  list(filter?: Filter & { limit?: number; cursor?: string; from?: string; to?: string }): Promise<Page>;
  /** The same, kept up to date. */
  live(filter?: Filter, limit?: number): LiveList;
  stats(): Promise<Stats>;

  markRead(id: string): Promise<Item>;
  markUnread(id: string): Promise<Item>;
  archive(id: string): Promise<Item>;
  unarchive(id: string): Promise<Item>;
  delete(id: string): Promise<null>;
  markAllRead(): Promise<{ changed: number; unread_count: number }>;
  /** Its action was followed; it is read by that. The calls outlive the page that is left by it. */
  markClicked(id: string): Promise<void>;
  /** Items came to this client: acknowledged together, a moment later, or when there is a socket again. */
  received(ids: string[]): void;
  /** Items stood before somebody's eyes; told as `received` is. */
  markSeen(ids: string[]): void;

  preferences(): Promise<Preferences>;
  /** These and no others: what is left out is back at its default. */
  replacePreferences(document: Partial<Preferences>): Promise<Preferences>;
  updatePreferences(patch: Patch<Preferences>): Promise<Preferences>;
  /** A channel altogether, or within a category or a template. `enabled: null` takes the switch away. */
  setPreference(one: {
    channel: string;
    category?: string;
    template?: string;
    enabled: boolean | null;
  }): Promise<Preferences>;

  /** Any call of the user API; `path` is what follows `/api/v1/users/me/`. */
  api<T = unknown>(method: string, path: string, body?: unknown, options?: RequestInit): Promise<T>;
}

/** A filtered list that follows the feed. */
export class LiveList extends Emitter<{ change: LiveList }> {
  constructor(client: CarillonClient, filter?: Filter, limit?: number);
  /** Newest first; a new array with each `change`, so that a framework sees it. */
  readonly items: readonly Item[];
  readonly state: "loading" | "ready" | "error";
  readonly error: CarillonError | null;
  readonly hasMore: boolean;
  /** As many as were shown, at most a hundred. */
  refresh(): Promise<void>;
  /** The next, older page. */
  more(): Promise<void>;
  close(): void;
}

/** The client that all who give the same options share, connected; `release` it when it is no longer needed. */
export function share(options: Options): { client: CarillonClient; release: () => void };

/** Milliseconds to wait after so many failures: doubled each time up to 30 s, and spread over half of that. */
export function backoff(failures: number, random?: number): number;
