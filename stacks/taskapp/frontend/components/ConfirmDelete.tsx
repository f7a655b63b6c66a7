"use client";

import type { Task } from "@/lib/api";
import { Modal } from "./Modal";

export function ConfirmDelete({ task, onClose, onConfirm }: { task: Task; onClose: () => void; onConfirm: () => void }) {
  return (
    <Modal label="Delete task" onClose={onClose}>
      <h2>Delete this task?</h2>
      <p className="quiet">“{task.title}” will be gone for good.</p>
      <div className="dialog-actions">
        <button className="button" type="button" onClick={onClose}>Keep it</button>
        <button className="button destructive" id="confirm-delete" type="button" onClick={onConfirm}>Delete</button>
      </div>
    </Modal>
  );
}
