import type { ReactNode } from "react";

export function PhoneIcon() {
  return icon(
    <path d="M6.6 3.5 9 3l2 4.6-2 1.6a11 11 0 0 0 5.8 5.8l1.6-2L21 15l-.5 2.4A3 3 0 0 1 17.4 20 14.5 14.5 0 0 1 4 6.6a3 3 0 0 1 2.6-3.1Z" />,
  );
}

export function HangUpIcon() {
  return icon(<path d="M3 14.5c5-5.3 13-5.3 18 0l-1.8 2.3-4-1.3-.3-2.7a11 11 0 0 0-5.8 0l-.3 2.7-4 1.3Z" />);
}

export function MicrophoneIcon({ off }: { off: boolean }) {
  return icon(
    <>
      <rect x="9" y="3" width="6" height="11" rx="3" />
      <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
      {off && <path d="M4 4l16 16" />}
    </>,
  );
}

function icon(shape: ReactNode) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {shape}
    </svg>
  );
}
