import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { share, type CarillonClient, type Filter, type Item, type LiveList, type Options } from "@carillon/bell/client";

/** The client that all who give the same options share, as the elements do; null before the first effect. */
export function useCarillon({ tokenUrl, server }: Options): CarillonClient | null {
  const [client, setClient] = useState<CarillonClient | null>(null);
  useEffect(() => {
    const shared = share({ tokenUrl, server });
    setClient(shared.client);
    return shared.release;
  }, [tokenUrl, server]);
  return client;
}

export function useUnread(client: CarillonClient | null): number {
  const subscribe = useMemo(() => (changed: () => void) => client?.on("count", changed) ?? (() => {}), [client]);
  return useSyncExternalStore(subscribe, () => client?.unread ?? 0);
}

/** A list that follows the feed. Give a filter that stays the same object. */
export function useFeed(client: CarillonClient | null, filter?: Filter): { items: readonly Item[]; list: LiveList | null } {
  const [list, setList] = useState<LiveList | null>(null);
  const [items, setItems] = useState<readonly Item[]>([]);
  useEffect(() => {
    if (!client) return;
    const live = client.live(filter);
    live.on("change", () => setItems(live.items));
    setList(live);
    return () => live.close();
  }, [client, filter]);
  return { items, list };
}
