import { onScopeDispose, ref, shallowRef } from "vue";
import { share } from "@carillon/bell/client";

/** The shared client, its unread count, and a list that follows the feed, for as long as the component is there. */
export function useCarillon(options, filter) {
  const { client, release } = share(options);
  const unread = ref(client.unread ?? 0);
  const items = shallowRef([]);
  const hasMore = ref(false);
  const stop = client.on("count", (count) => (unread.value = count));
  const list = client.live(filter);
  list.on("change", () => ([items.value, hasMore.value] = [list.items, list.hasMore]));
  onScopeDispose(() => {
    list.close();
    stop();
    release();
  });
  return { client, unread, items, hasMore, more: () => list.more() };
}
