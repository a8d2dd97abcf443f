import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@carillon/bell";
import { useCarillon, useFeed, useUnread } from "./useCarillon";

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "carillon-bell": React.DetailedHTMLProps<React.HTMLAttributes<HTMLElement>, HTMLElement> & {
        "token-url"?: string;
        toast?: boolean;
      };
    }
  }
}

const TOKEN_URL = "/demo/token";
const UNREAD = { read: false };

/** The element for the header, and the client without a face for what looks otherwise. */
function App() {
  const client = useCarillon({ tokenUrl: TOKEN_URL });
  const unread = useUnread(client);
  const { items, list } = useFeed(client, UNREAD);
  return (
    <main>
      <carillon-bell token-url={TOKEN_URL} toast />
      <h1>{unread} unread</h1>
      <ul>
        {items.map((item) => (
          <li key={item.id}>
            {item.title} <button onClick={() => client?.markRead(item.id)}>Read</button>
          </li>
        ))}
      </ul>
      {list?.hasMore && <button onClick={() => list.more()}>Older</button>}
    </main>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
