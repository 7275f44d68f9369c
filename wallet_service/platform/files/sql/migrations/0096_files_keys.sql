-- The keys of uploads move to the table of all rooms.
insert into platform.request_keys (owner, key, request, object_id, request_hash, response, created_at)
  select k.owner, k.key, 'upload_file', k.file_id, k.request_hash, k.answer, k.created_at from platform.file_keys k;
drop table platform.file_keys;
