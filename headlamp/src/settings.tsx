import { ConfigStore, PluginSettingsDetailsProps } from '@kinvolk/headlamp-plugin/lib';
import { TextField } from '@mui/material';
import { openableURL } from './state';

/** The name of the plugin, under which Headlamp stores its settings. */
export const pluginName = 'appmarket';

/** Returns the settings of the plugin: the URL of the web pages of AppMarket. */
export const useSettings = new ConfigStore<{ url?: string }>(pluginName).useConfig();

/** Shows the settings of the plugin. */
export function SettingsForm({ data, onDataChange }: PluginSettingsDetailsProps) {
  const url = data?.url ?? '';
  const isInvalid = url !== '' && openableURL(url) === '';
  return (
    <TextField
      fullWidth
      label="URL of the web pages of AppMarket"
      value={url}
      error={isInvalid}
      helperText={
        isInvalid
          ? 'Enter an http or https URL without credentials.'
          : 'Install opens the form of the web pages at this URL, such as https://market.example.com.'
      }
      onChange={event => onDataChange?.({ ...data, url: event.target.value })}
    />
  );
}
