ALTER TABLE tasks
    ADD COLUMN priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high')),
    ADD COLUMN due_on date;

CREATE INDEX tasks_by_due_date ON tasks (user_id, due_on) WHERE status <> 'done';
